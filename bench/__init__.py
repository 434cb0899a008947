"""Benchmarks: `python -m bench` measures what mirroring costs the primary. For a checkout on a quiet machine."""
