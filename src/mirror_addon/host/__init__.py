"""Everything that changes mitmproxy itself or the process it runs in. Start with `changes`."""
