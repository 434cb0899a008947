"""The peers that are programs of their own: their configuration, with and without mirroring, and their command.

Each proxies everything to v1, keeps its connections to both upstreams alive, writes no log, and has one worker where
it lets one choose; Traefik, a Go program, takes the cores it finds.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench.contenders import ROOT
from bench.contenders import Ports
from bench.contenders import endpoints
from bench.programs import ENVOY
from bench.programs import NGINX
from bench.programs import TRAEFIK

_EXPORT = "import sys; sys.path.insert(0, sys.argv.pop(1)); from mirror_addon.cli.main import main; main()"

_TRAEFIK = """\
http:
  routers:
    all: {{rule: "PathPrefix(`/`)", entryPoints: [bench], service: {service}}}
  services:
    v1: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{v1}"}}]}}}}
    v2: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{v2}"}}]}}}}
    mirrored: {{mirroring: {{service: v1, mirrors: [{{name: v2, percent: 100}}]}}}}
"""

_NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/pid;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  client_body_temp_path {folder}/client_body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000000;
  upstream v1 {{ server 127.0.0.1:{v1}; keepalive 256; keepalive_requests 1000000000; }}
  upstream v2 {{ server 127.0.0.1:{v2} max_fails=0; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{listen};
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    location / {{ {mirror} proxy_pass http://v1; }}
    location = /mirror {{ internal; proxy_pass http://v2$request_uri; }}
  }}
}}
"""


def envoy(*, mirroring: bool) -> Callable[[Ports, Path], list[str]]:
    """Envoy with the worked example's rules, as `mirror-addon export envoy` says them."""

    def command(ports: Ports, folder: Path) -> list[str]:
        export = [sys.executable, "-c", _EXPORT, str(ROOT / "src"), "export", "envoy", "--rules", str(ROOT / "rules")]
        export += ["--listen", f"127.0.0.1:{ports.listen}", "--set", f"mirror_enabled={str(mirroring).lower()}"]
        export += endpoints(ports)
        config = folder / "envoy.yaml"
        config.write_bytes(subprocess.run(export, check=True, capture_output=True, timeout=60).stdout)
        return [
            str(ENVOY.path),
            "-c",
            str(config),
            "--concurrency",
            "1",
            "--log-level",
            "error",
            "--disable-hot-restart",
        ]

    return command


def traefik(*, mirroring: bool) -> Callable[[Ports, Path], list[str]]:
    """Traefik with its file provider and a service of its kind `mirroring`."""

    def command(ports: Ports, folder: Path) -> list[str]:
        config = folder / "traefik.yaml"
        service = "mirrored" if mirroring else "v1"
        config.write_text(_TRAEFIK.format(service=service, v1=ports.v1, v2=ports.v2))
        arguments = [
            f"--entryPoints.bench.address=127.0.0.1:{ports.listen}",
            f"--providers.file.filename={config}",
            "--log.level=FATAL",
            "--global.checkNewVersion=false",
            "--global.sendAnonymousUsage=false",
        ]
        return [str(TRAEFIK.path), *arguments]

    return command


def nginx(*, mirroring: bool) -> Callable[[Ports, Path], list[str]]:
    """nginx with its directive `mirror`. A dead mirror stays in use: `max_fails=0`."""

    def command(ports: Ports, folder: Path) -> list[str]:
        config = folder / "nginx.conf"
        mirror = "mirror /mirror;" if mirroring else ""
        config.write_text(_NGINX.format(folder=folder, listen=ports.listen, v1=ports.v1, v2=ports.v2, mirror=mirror))
        return [str(NGINX.path), "-e", "/dev/null", "-p", str(folder), "-c", str(config)]

    return command
