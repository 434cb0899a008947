"""What is changed in mitmproxy and in its process: the list, and the object that applies and takes back the changes.

Theory of operation. mitmproxy has a public interface for addons: options, commands, hooks, and methods of other addons
that are there to be called. What uses it changes nothing and is not listed here. The rest is: methods and classes of
mitmproxy's objects that are replaced, entries in its registries, its own options, and settings of the interpreter.

All of it happens in the proxy's process and on its event loop. Each kind of change has a module in this room that knows
how to apply it, how to recognise a mitmproxy on which it is not safe, and how to take it back. `HostChanges` holds them
together and is what MirrorAddon uses:

- `load`, before our options exist: `deferred_options`, `content_views`, `har`, `upstream_auth`, `http_streams`,
  `shown_urls`
- `apply`, at the end of each `configure`: `hook_dispatch`, `proxy_options`
- `take_back`, at `done`: all of them

`shadow_hook` is registered when it is imported. `wide_reads` is applied by `mirroring.tee` to one connection at a
time, when a streamed body on it is mirrored, and `upstream_clock` to each connection to an upstream, when it is
established. `primary_timeout` is started by MirrorAddon for a request whose route has a timeout. What is done to the
interpreter stays in `rules.background`, next to the work that needs it. The script has to be outside the package,
because mitmproxy loads it by its path.

`docs/explanation/host.md` contains the list below, and tests/host/test_changes.py compares both with a proxy that runs.
"""

from __future__ import annotations

import gc
import logging
from typing import NamedTuple

from mitmproxy import ctx

from mirror_addon.host import content_views
from mirror_addon.host import upstream_clock
from mirror_addon.host import wide_reads
from mirror_addon.host.deferred_options import convert_deferred
from mirror_addon.host.har import Annotate
from mirror_addon.host.har import HarAnnotations
from mirror_addon.host.hook_dispatch import HookDispatch
from mirror_addon.host.http_streams import HttpStreams
from mirror_addon.host.proxy_options import ProxyOptions
from mirror_addon.host.shown_urls import Shown
from mirror_addon.host.shown_urls import ShownUrls
from mirror_addon.host.upstream_auth import ProxyCredentials

logger = logging.getLogger(__name__)


class Change(NamedTuple):
    """One kind of change."""

    name: str
    code: str
    """The file that makes it, relative to the root of the repository."""
    what: str
    why: str
    worth: str
    """What was measured."""
    guard: str
    """Where it is not done, and what the log says then."""
    off: str
    """How a user switches it off."""
    unload: str
    """What becomes of it when the script is removed or loaded again."""


CHANGES = (
    Change(
        name="Dispatch of hooks",
        code="src/mirror_addon/host/hook_dispatch.py",
        what="`trigger_event` of the running `AddonManager` is replaced: it calls mitmproxy's own method with only "
        "those addons in the chain that have the hook.",
        why="mitmproxy spends 40 % of a small request on its about 36 addons, at each of eight events, most of which "
        "have no such hook.",
        worth="Throughput with everything mirrored is 1.39 times that of mitmdump without the addon (95 % interval "
        "1.17-1.72, Python 3.13), and 0.85 times (0.79-0.95) with `mirror_fast_hooks=false`.",
        guard="Only where the dispatch is mitmproxy's own and uses the names that it uses in 11.0.2 to 12.3.1. "
        "Otherwise the log says that `mirror_fast_hooks has no effect`.",
        off="`mirror_fast_hooks=false`, also while the proxy runs.",
        unload="Taken back, unless another script replaced the method since.",
    ),
    Change(
        name="Moments of a request",
        code="src/mirror_addon/host/http_streams.py",
        what="`make_server_connection`, `state_wait_for_response_headers` and `send_response` of mitmproxy's class "
        "`HttpStream` are replaced: they call a function of this addon before mitmproxy's own method.",
        why="The shadow is the primary as it leaves, and its response is compared as it came. Hooks are too early for "
        "the one and too late for the other: addons behind this one change the request, a person edits an intercepted "
        "one and resumes it after all hooks, and addons before this one change the response.",
        worth="Not a matter of speed. Three function calls a request, 1 microsecond.",
        guard="Only where the methods are generators, and their callers use the names that they use in 11.0.2 to "
        "12.3.1. Otherwise the log warns that shadows lack what addons behind this one changed.",
        off="No option.",
        unload="Taken back, unless another script replaced the methods since; they then do nothing. Not at exit, "
        "because requests still pass while shadows are drained.",
    ),
    Change(
        name="A hook for scripts",
        code="src/mirror_addon/host/shadow_hook.py",
        what="`mirror_shadow` is added to mitmproxy's register of hooks.",
        why="mitmproxy then knows the name as that of a hook, as it knows those of its own.",
        worth="Not a matter of speed. Nothing is built or called where no addon has the hook.",
        guard="None needed: the register is a dictionary, and no other addon uses the name.",
        off="No option. It has no effect without a script that has the hook.",
        unload="The name stays in the register with the imported module.",
    ),
    Change(
        name="Reads of a client's connection",
        code="src/mirror_addon/host/wide_reads.py",
        what="The class of the `StreamReader` of a client's connection is replaced, from the first byte of a streamed "
        "body that is mirrored. Where mitmproxy asks for 64 KiB, it gets up to 256. A script with a "
        "`request.stream` of its own gets parts of this size too.",
        why="Each part passes through all layers of the proxy by itself, which is most of what a large body costs.",
        worth="A streamed upload of 64 MiB takes 0.86 times as long as without mirroring (95 % interval 0.79-0.98, "
        "Python 3.13; 1.00 with 3.11). Compared with a proxy that reads in the same way, it takes 1.30 times as "
        "long.",
        guard="Only a reader that is exactly an `asyncio.StreamReader`; not in WireGuard and local capture mode. "
        "Nothing is logged otherwise, because nothing but the time differs.",
        off="No option. Without `stream_large_bodies`, and with `mirror_enabled=false`, it does not happen.",
        unload="Taken back from all open connections.",
    ),
    Change(
        name="Sockets to upstreams",
        code="src/mirror_addon/host/upstream_clock.py",
        what="The class of the socket of a connection to an upstream is replaced, and SO_TIMESTAMPNS is set. It notes "
        "when bytes left and arrived, and sets TCP_QUICKACK after each send, as a worker's sockets do.",
        why="mitmproxy's times of a flow contain its hooks, connecting, and the time until its event loop comes to "
        "read. A shadow's do not, so that of two equal upstreams one would be called faster.",
        worth="Two equal upstreams come out equal: see the table of `python -m bench.clocks` in "
        "docs/explanation/comparing.md. It takes about 7 us of the processor for each request.",
        guard="Only a TCP socket that is exactly a `socket.socket`; kernel times on Linux 5.1 and newer. Otherwise "
        "mitmproxy's times are recorded with `clock: program`, and no speed is judged.",
        off="No option.",
        unload="Taken back from all open connections.",
    ),
    Change(
        name="Entries of HAR files",
        code="src/mirror_addon/host/har.py",
        what="`flow_entry` of mitmproxy's running addon `savehar` is replaced: it adds a comment and fields such as "
        "`_mirror_of` to the entry that mitmproxy's own method returns.",
        why="mitmproxy writes neither the comment nor the metadata of a flow to a HAR file, and has no hook for it.",
        worth="Not a matter of speed. HAR files have the pairs of primary and shadow.",
        guard="Only where the method is mitmproxy's own. Nothing is logged otherwise; the files lack the fields.",
        off="No option. Entries of flows without a comment or a shadow are not changed.",
        unload="Taken back, unless another script replaced the method since. Not at exit, because mitmproxy writes the "
        "file after the end of the script.",
    ),
    Change(
        name="Late responses",
        code="src/mirror_addon/host/primary_timeout.py",
        what="Where a route has a `timeout` and the response is late, bytes of a 504 are put into the "
        "`StreamReader` of the upstream's connection, and that connection is aborted.",
        why="mitmproxy has no way to respond to a request that it has sent.",
        worth="Not a matter of speed. Routes without a timeout are not touched.",
        guard="Only a connection with plain HTTP/1. An encrypted or multiplexed one is aborted alone, and "
        "mitmproxy responds with its 502.",
        off="No option. Leave out the `timeout` of the route.",
        unload="Nothing is left: a timer only touches its own request.",
    ),
    Change(
        name="Credentials for an upstream proxy",
        code="src/mirror_addon/host/upstream_auth.py",
        what="`requestheaders` of mitmproxy's running addon `upstreamauth` is replaced: in upstream mode it does "
        "nothing for a request that does not go to the proxy.",
        why="mitmproxy adds the user name and password of `upstream_auth` to every plaintext request in upstream mode, "
        "after all scripts. The destination of a routed request would get them.",
        worth="Not a matter of speed. Only the proxy gets its credentials.",
        guard="Only where the method is mitmproxy's own. Nothing is logged otherwise.",
        off="No option. Requests that go to the proxy are not changed.",
        unload="Taken back, unless another script replaced the method since. Not at exit, because requests still pass "
        "while shadows are drained.",
    ),
    Change(
        name="Content view",
        code="src/mirror_addon/host/content_views.py",
        what="The view `Mirror Diff` is added to mitmproxy's content views, and removed from its private `_by_name` in "
        "mitmproxy 12.",
        why="mitmproxy 12 has no method that removes a view.",
        worth="Not a matter of speed. mitmweb and the console show a pair's differences.",
        guard="If a later mitmproxy keeps its views elsewhere, the view stays listed after an unload.",
        off="No option. mitmproxy never chooses the view by itself.",
        unload="Taken back.",
    ),
    Change(
        name="Two options of mitmproxy",
        code="src/mirror_addon/host/proxy_options.py",
        what="`keep_host_header=true` and `connection_strategy=lazy` are set.",
        why="In reverse mode, mitmproxy otherwise replaces the Host header field before rules can match on it. With "
        "the strategy `eager`, it connects to the destination of a CONNECT first, and where that fails no rule is "
        "asked.",
        worth="Not a matter of speed. Routing by Host does not work without them.",
        guard="An option that the user set to a value other than its default is left alone. The log names the others.",
        off="Set the option back while the proxy runs; it is then left alone.",
        unload="Defaults are restored where the values are still these. Not at exit, because requests still pass "
        "while shadows are drained.",
    ),
    Change(
        name="Columns of mitmweb",
        code="src/mirror_addon/host/proxy_options.py",
        what="The column `comment` is added to mitmweb's option `web_columns`.",
        why="A shadow's comment begins with the verdict. Without the column, it is seen only after a click.",
        worth="Not a matter of speed. The flow list shows which pairs differ, and where.",
        guard="An option that the user set to a value other than its default is left alone. The log names the value.",
        off="Set `web_columns`; it is then left alone.",
        unload="The default is restored where the value is still this one. Not at exit.",
    ),
    Change(
        name="URLs in the flow list",
        code="src/mirror_addon/host/shown_urls.py",
        what="`flow_to_json` of mitmweb and `format_flow` of the console are replaced: for a routed request they get "
        "the URL that the client requested, and for a shadow the one with its Host.",
        why="mitmweb joins the Host of a request with the port of the endpoint to which it was routed, and the console "
        "shows the endpoint's address. Nobody requested these URLs.",
        worth="Not a matter of speed. The flows themselves are not changed.",
        guard="Only where the functions are mitmproxy's own. An intercepted or edited request is shown as it is. "
        "Nothing is logged otherwise.",
        off="No option.",
        unload="Taken back, unless another script replaced the functions since.",
    ),
    Change(
        name="Values of deferred options",
        code="src/mirror_addon/host/deferred_options.py",
        what="Values of `mirror_*` options that wait in mitmproxy's `options.deferred` are converted, and those that "
        "no option can have are removed.",
        why="mitmproxy drops the whole addon, without a word, where it cannot convert one.",
        worth="Not a matter of speed. A wrong value stops the start with a message.",
        guard="Only our own options. Each value that is removed is logged as an error.",
        off="No option.",
        unload="Nothing is left: mitmproxy empties the list as it registers the options.",
    ),
    Change(
        name="Names in the script",
        code="mirror_addon",
        what="The script's module gets a name for each of mitmproxy's hooks, with the value None. In a checkout, `src` "
        "is put in front of `sys.path`.",
        why="mitmproxy looks for every hook in the module too. Before Python 3.13, a missing name costs an exception.",
        worth="A third of the processor time that the addon adds to a request, with Python 3.11.",
        guard="None needed: mitmproxy ignores a hook that is None. It warns of the name `add_log`, which is left out.",
        off="No option.",
        unload="The module goes. `sys.path` and the imported package stay, so that the next load finds them: to load "
        "changed source files, start mitmproxy again.",
    ),
    Change(
        name="Garbage collector and thread switches",
        code="src/mirror_addon/rules/background.py",
        what="While rules are compiled in a thread, the collector is paused and the interpreter's switch interval is "
        "0.5 ms instead of 5. What has been loaded is exempt from later collections (`gc.freeze`).",
        why="A request that waits for the interpreter's lock a dozen times takes 60 ms longer at 5 ms. A collection "
        "stops every thread, and looks at all objects of a large set of rules each time.",
        worth="Building a table of 10,000 routes took several full collections of half a second each.",
        guard="None needed. The interval is never made longer than it was.",
        off="No option.",
        unload="Interval and collector are restored when the work ends; exempt objects are collected again after an "
        "unload.",
    ),
)
"""All that the addon changes in mitmproxy and in its process."""


class HostChanges:
    """The changes of one load of the addon. `lines` and `annotate` are what a content view and HAR files show,
    `shown` is the URL that lists show of a flow; `streams` has what is called at moments for which mitmproxy has no
    hook."""

    def __init__(
        self,
        view: str,
        lines: content_views.StyledLines,
        annotate: Annotate,
        streams: HttpStreams,
        shown: Shown = lambda flow: None,
    ) -> None:
        self.streams = streams
        self._view = view
        self._lines = lines
        self._har = HarAnnotations(annotate)
        self._shown_urls = ShownUrls(shown)
        self._proxy_credentials = ProxyCredentials()
        self._hook_dispatch = HookDispatch()
        self._proxy_options = ProxyOptions()

    def load(self) -> None:
        """Call this before options are registered: mitmproxy converts deferred values then."""
        for problem in convert_deferred(ctx.options.deferred):
            logger.error("mirror: %s", problem)
        content_views.register(self._view, self._lines)
        self._har.apply()
        self._shown_urls.apply()
        self._proxy_credentials.apply()
        self.streams.take()

    def apply(self, *, fast_hooks: bool) -> None:
        """Call this at the end of each `configure`. It sets options of mitmproxy, which calls `configure` again."""
        self._hook_dispatch.apply(ctx.master.addons, fast=fast_hooks)
        self._proxy_options.apply()

    def take_back(self) -> None:
        """Leave mitmproxy as it was before `load`.

        At exit, what is still in use stays: requests pass while shadows are drained, and mitmproxy writes its HAR file
        after that.
        """
        self._hook_dispatch.widen()
        content_views.unregister(self._view)
        self._shown_urls.take_back()
        if ctx.master.should_exit.is_set():
            return
        self.streams.give_back()
        self._har.take_back()
        self._proxy_credentials.take_back()
        self._proxy_options.take_back()
        wide_reads.narrow_reads()
        upstream_clock.take_back()
        gc.unfreeze()  # frozen by rules.background
