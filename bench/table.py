"""All contenders. To add one, write a function from `Ports` and a folder to a command, and give it a line here."""

from __future__ import annotations

from bench import peers
from bench.contenders import Contender
from bench.contenders import bare
from bench.contenders import mirror_addon
from bench.contenders import script
from bench.programs import ENVOY
from bench.programs import MITMDUMP
from bench.programs import NGINX
from bench.programs import TRAEFIK

_MITMDUMP = Contender("bare mitmdump", MITMDUMP, bare)
_ENVOY = Contender("bare Envoy", ENVOY, peers.envoy(mirroring=False))
_TRAEFIK = Contender("bare Traefik", TRAEFIK, peers.traefik(mirroring=False))
_NGINX = Contender("bare nginx", NGINX, peers.nginx(mirroring=False))

MIRRORING = (
    Contender("mirror_addon", MITMDUMP, mirror_addon, _MITMDUMP, workers=True),
    Contender("mitmproxy: copy and replay", MITMDUMP, script("copy_and_replay.py"), _MITMDUMP),
    Contender("naive httpx addon", MITMDUMP, script("naive_httpx.py"), _MITMDUMP),
    Contender("Envoy", ENVOY, peers.envoy(mirroring=True), _ENVOY),
    Contender("Traefik", TRAEFIK, peers.traefik(mirroring=True), _TRAEFIK),
    Contender("nginx", NGINX, peers.nginx(mirroring=True), _NGINX),
)
"""Each is measured in turn with its base."""
