"""The Model Context Protocol over standard input and output, spoken by the library `mcp` (the extra of that name).

Only this module imports it. Tools run in a thread, one at a time, so that the server answers pings meanwhile.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.stdio import stdio_server
from pydantic import AnyUrl

from mirror_addon._version import __version__
from mirror_addon.assistant.fence import MAX_TEXT
from mirror_addon.assistant.fence import shortened
from mirror_addon.assistant.pairs import AssistantError
from mirror_addon.assistant.rules import RulesSource
from mirror_addon.assistant.tools import Tools
from mirror_addon.display.text import printable
from mirror_addon.display.text import printable_lines

SCHEME = "mirror-addon://"
_READS = types.ToolAnnotations(readOnlyHint=True, destructiveHint=False, idempotentHint=True, openWorldHint=False)
_SENDS = types.ToolAnnotations(readOnlyHint=False, destructiveHint=False, idempotentHint=True, openWorldHint=True)

logger = logging.getLogger(__name__)


class AssistantServer:
    """Serves tools, and the files of the rules as resources."""

    def __init__(self, tools: Tools, rules: RulesSource) -> None:
        self._tools = tools
        self._rules = rules
        self._one_at_a_time = anyio.Lock()

    def server(self) -> Server[Any, Any]:
        server: Server[Any, Any] = Server("mirror-addon", version=__version__, instructions=self._tools.instructions)
        server.list_tools()(self._list_tools)
        server.call_tool()(self._call)
        server.list_resources()(self._list_resources)
        server.read_resource()(self._read)
        return server

    async def run(self) -> None:
        """Serve until standard input ends."""
        server = self.server()
        async with stdio_server() as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())

    async def _list_tools(self) -> list[types.Tool]:
        return [
            types.Tool(
                name=each.name,
                title=each.title,
                description=each.description,
                inputSchema=each.schema,
                annotations=_READS if each.reads else _SENDS,
            )
            for each in self._tools.by_name.values()
        ]

    async def _call(self, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
        tool = self._tools.by_name.get(name)
        if tool is None:
            return _result(f"there is no tool {name[:60]!r}; there are {', '.join(self._tools.by_name)}", error=True)
        try:
            return _result(await self._in_thread(partial(tool.call, arguments)))
        except AssistantError as error:
            return _result(printable(shortened(str(error), MAX_TEXT)), error=True)
        except Exception:
            logger.exception("mirror: the tool %s failed", name)
            return _result("an error of mirror-addon itself, told on its standard error", error=True)

    async def _list_resources(self) -> list[types.Resource]:
        files = await self._in_thread(self._rules.files)
        return [
            types.Resource(uri=AnyUrl(f"{SCHEME}{name}"), name=printable(file), mimeType="application/yaml")
            for name, file in files.items()
        ]

    async def _read(self, uri: AnyUrl) -> list[ReadResourceContents]:
        text = await self._in_thread(partial(self._rules.text, str(uri).removeprefix(SCHEME)))
        return [ReadResourceContents(printable_lines(text), "application/yaml")]

    async def _in_thread(self, function: Any) -> Any:
        async with self._one_at_a_time:
            return await anyio.to_thread.run_sync(function)


def _result(text: str, *, error: bool = False) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], isError=error)
