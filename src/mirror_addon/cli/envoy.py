"""`mirror-addon envoy`: Envoy, run with the rules and reconfigured when they change."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

import click

from mirror_addon.cli.console import echo
from mirror_addon.cli.envoy_process import EnvoyError
from mirror_addon.cli.envoy_process import EnvoyProcess
from mirror_addon.cli.envoy_process import find_envoy
from mirror_addon.cli.export import address_options
from mirror_addon.cli.export import make_export
from mirror_addon.cli.export import print_notes
from mirror_addon.cli.gathered import gathered
from mirror_addon.cli.own_processor import OwnProcessor
from mirror_addon.cli.own_processor import ProcessorError
from mirror_addon.cli.own_processor import processor_command
from mirror_addon.cli.processor_options import ProcessorOptions
from mirror_addon.cli.processor_options import own_processor_options
from mirror_addon.cli.rules_option import read_rule_set
from mirror_addon.cli.rules_option import read_settings
from mirror_addon.cli.rules_option import rules_options
from mirror_addon.envoy.bootstrap import Address
from mirror_addon.envoy.bootstrap import ExportOptions
from mirror_addon.options.settings import Settings
from mirror_addon.processes.signals import stop_signals
from mirror_addon.rules.files import is_there
from mirror_addon.rules.files import rules_paths
from mirror_addon.rules.rule_set import load_rule_set
from mirror_addon.rules.watcher import changes
from mirror_addon.shadow.local_address import own_address


@click.command()
@rules_options
@address_options
@own_processor_options
@click.argument("arguments", metavar="[-- ENVOY ARGS]", nargs=-1, type=click.UNPROCESSED)
@gathered(options=ProcessorOptions)
def envoy(
    rules: tuple[str, ...],
    assignments: tuple[str, ...],
    listen: Address,
    admin: Address | None,
    arguments: tuple[str, ...],
    options: ProcessorOptions,
) -> None:
    """Run Envoy with the rules. Changes of their files take effect without a restart. Ctrl-C stops it.

    With --processor, Envoy shows the exchanges to mirror-addon processor: one that runs at the address given, or one of
    its own, which has the same --rules and --set.
    """
    settings = read_settings(rules, assignments)
    try:
        binary = find_envoy()
        with tempfile.TemporaryDirectory(prefix="mirror-addon-envoy-") as folder:
            process = EnvoyProcess(binary, Path(folder), arguments)
            made = ExportOptions(listen, admin or Address("127.0.0.1", 0), processors=options.made())
            own = OwnProcessor(processor_command(rules, assignments)) if options.runs_own else None
            asyncio.run(_run(process, settings, made) if own is None else _run_both(own, process, settings, made))
    except (EnvoyError, ProcessorError) as error:
        raise click.ClickException(str(error)) from None


async def _run_both(own: OwnProcessor, process: EnvoyProcess, settings: Settings, options: ExportOptions) -> None:
    """Run a processor as long as Envoy, which is ended first."""
    assert options.processors is not None
    try:
        processors = replace(options.processors, addresses=(await own.start(),))
        await _run(process, settings, replace(options, processors=processors))
    finally:
        await own.stop()


async def _run(process: EnvoyProcess, settings: Settings, options: ExportOptions) -> None:
    stopped = asyncio.Event()
    with stop_signals(stopped.set):
        await _run_until(stopped, process, settings, options)


async def _run_until(stopped: asyncio.Event, process: EnvoyProcess, settings: Settings, options: ExportOptions) -> None:
    export = make_export(settings, read_rule_set(settings, own_address().encode()), options)
    print_notes(settings, export)
    started = asyncio.Event()
    # Watch before "listening" is printed, so that no change of the files after that is missed.
    tasks: list[asyncio.Task[object]] = [asyncio.create_task(_reload(process, settings, export.options, started))]
    try:
        address = await process.start(export)
        started.set()
        echo(f"envoy is listening at {address}")
        tasks += [asyncio.create_task(stopped.wait()), asyncio.create_task(_ended(process))]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not stopped.is_set():
            for task in done:
                task.result()  # raises the error that ended it
    finally:
        for task in tasks:
            task.cancel()
        await process.stop()


async def _ended(process: EnvoyProcess) -> None:
    raise EnvoyError(f"Envoy ended with code {await process.wait()}; its messages are above")


async def _reload(process: EnvoyProcess, settings: Settings, options: ExportOptions, started: asyncio.Event) -> None:
    """Apply the rules to Envoy whenever they change. A rule set with errors leaves the previous one in force."""
    paths = rules_paths(settings.rules)
    async for _ in changes(paths):
        await started.wait()
        if gone := [str(path) for path in paths if not is_there(path)]:
            echo(f"{', '.join(gone)} is gone; the previous rules stay in force", err=True)
            continue
        rule_set = await asyncio.to_thread(load_rule_set, settings, own_address().encode())
        if rule_set.refused:
            for diagnostic in rule_set.diagnostics:
                if diagnostic.severity == "error":
                    echo(str(diagnostic), err=True)
            echo("the previous rules stay in force", err=True)
            continue
        export = make_export(settings, rule_set, options)
        try:
            print_notes(settings, export)
            await process.apply(export)
        except EnvoyError as error:
            echo(str(error), err=True)
            continue
        except click.UsageError as error:
            echo(f"{error.message}; the previous rules stay in force", err=True)
            continue
        echo(f"reloaded {rule_set.documents} resources")
