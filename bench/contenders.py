"""What a contender is: a command that listens on a port, proxies to v1 and mirrors to v2; and those inside mitmproxy.

All are listed in `bench.table`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.programs import MITMDUMP
from bench.programs import Program

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Ports:
    """Where to listen, and where the two upstreams do, all on 127.0.0.1."""

    listen: int
    v1: int
    v2: int


@dataclass(frozen=True, slots=True)
class Contender:
    """One line of the table."""

    name: str
    program: Program
    command: Callable[[Ports, Path], list[str]]
    """The command, for these ports. It may write its configuration to the folder."""
    base: Contender | None = None
    """The same program without mirroring, which is what ratios are of; None for such a base itself."""
    workers: bool = False
    """The processes below the first one send shadows, and are no part of the proxy."""


def endpoints(ports: Ports) -> list[str]:
    """Where the worked example's subsets are, as options of mitmdump and of mirror-addon alike."""
    pairs = (("v1", ports.v1), ("v2", ports.v2))
    return [part for name, port in pairs for part in ("--set", f"mirror_endpoints=serviceB/{name}=127.0.0.1:{port}")]


def _mitmdump(ports: Ports, *arguments: str) -> list[str]:
    settings = ["connection_strategy=lazy", "keep_host_header=true"]
    quiet = ["-q", *(part for setting in settings for part in ("--set", setting))]
    where = [
        "--listen-host",
        "127.0.0.1",
        "--listen-port",
        str(ports.listen),
        "--mode",
        f"reverse:http://127.0.0.1:{ports.v1}",
    ]
    return [str(MITMDUMP.path), *quiet, *where, *arguments]


def bare(ports: Ports, folder: Path) -> list[str]:
    """mitmdump without any addon."""
    return _mitmdump(ports)


def mirror_addon(ports: Ports, folder: Path, rules: Path = ROOT / "rules") -> list[str]:
    """mitmdump with this addon and the worked example's rules, or others."""
    return _mitmdump(ports, "-s", str(ROOT / "mirror_addon"), "--set", f"mirror_rules={rules}", *endpoints(ports))


def mirror_addon_slow_hooks(ports: Ports, folder: Path) -> list[str]:
    """The same, mitmproxy's dispatch of hooks left as it is."""
    return [*mirror_addon(ports, folder), "--set", "mirror_fast_hooks=false"]


def script(name: str) -> Callable[[Ports, Path], list[str]]:
    """mitmdump with a script of bench/scripts."""
    path = ROOT / "bench" / "scripts" / name

    def command(ports: Ports, folder: Path) -> list[str]:
        return _mitmdump(ports, "-s", str(path), "--set", f"shadow_port={ports.v2}")

    return command
