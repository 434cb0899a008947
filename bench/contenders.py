"""What is compared: each contender is a command that listens on a port, proxies to v1 and mirrors to v2.

To add one, write a function from `Ports` to a command and put it into `CONTENDERS`; the first, which does not mirror,
is what the ratios are of.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Ports:
    """Where to listen, and where the two upstreams do, all on 127.0.0.1."""

    listen: int
    v1: int
    v2: int


def _mitmdump(ports: Ports, *arguments: str) -> list[str]:
    program = str(Path(sys.executable).with_name("mitmdump"))
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
    return [program, *quiet, *where, *arguments]


def bare(ports: Ports) -> list[str]:
    """mitmdump without any addon."""
    return _mitmdump(ports)


def mirror_addon(ports: Ports, rules: Path = ROOT / "rules") -> list[str]:
    """mitmdump with this addon and the worked example's rules, or others."""
    script = ["-s", str(ROOT / "mirror_addon"), "--set", f"mirror_rules={rules}"]
    for subset, port in (("v1", ports.v1), ("v2", ports.v2)):
        script += ["--set", f"mirror_endpoints=serviceB/{subset}=127.0.0.1:{port}"]
    return _mitmdump(ports, *script)


CONTENDERS: dict[str, Callable[[Ports], list[str]]] = {"bare mitmdump": bare, "mirror_addon": mirror_addon}
