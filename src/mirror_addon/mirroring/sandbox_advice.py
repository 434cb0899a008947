"""What the sandbox says to the person who set it up: each of it once, with the cure."""

from __future__ import annotations

import logging
from collections.abc import Collection
from collections.abc import Sequence

from mirror_addon.display.text import printable
from mirror_addon.sandbox.call import CallRequest

logger = logging.getLogger(__name__)

FORWARD = (
    "let the service forward x-request-id or traceparent from the request that it handles to the calls that it makes"
)


class SandboxAdvice:
    """Remembers what was said."""

    def __init__(self) -> None:
        self.calls_of_primary = False
        """A call of the primary was noticed by its id."""
        self._said: set[str] = set()

    def _say(self, what: str, text: str, *arguments: object) -> None:
        if what not in self._said:
            self._said.add(what)
            logger.warning(f"mirror: {text}", *arguments)

    def request_without_id(self) -> None:
        """A request is mirrored that has no id."""
        self._say(
            "request",
            "a mirrored request has neither x-request-id nor traceparent, so the calls made for it cannot be told: "
            "the mirror's are blocked or passed. Set mirror_request_id=true, which gives such requests an id",
        )

    def call_without_request(self, call: CallRequest, ids: Sequence[bytes]) -> None:
        """A mirror's call belongs to no request that is remembered."""
        what = _shown(call)
        if not ids:
            self._say("call", f"the mirror's call %s has neither x-request-id nor traceparent: {FORWARD}", what)
        else:
            self._say(
                "stray",
                "the mirror's call %s has an id that no mirrored request of the last minute had: let the service "
                "forward the id that it got, and not make one of its own",
                what,
            )

    def nothing_of_primary(self) -> None:
        """A mirror's call belongs to a request for which the primary made no such call."""
        if not self.calls_of_primary:
            self._say(
                "primary",
                "the mirror makes calls, and none of the primary's has been seen: set HTTP_PROXY of the primary to "
                f"another listener of this proxy, and {FORWARD}",
            )

    def not_kept(self, why: str, words: str, call: CallRequest | None) -> None:
        """A response of the primary's call is not kept."""
        which = _shown(call) if call is not None else "(one of the oldest)"
        self._say(
            f"not_kept.{why}",
            "the response to the primary's call %s is not kept for the mirror: %s. The mirror's same call is handled "
            "by mirror_sandbox_unknown; sandbox.not_kept.%s counts these",
            which, words, why,
        )  # fmt: skip

    def fault(self, where: str, error: Exception) -> None:
        """A fault of this program."""
        if (what := f"fault.{where}") not in self._said:
            self._said.add(what)
            logger.warning(
                "mirror: fault in the sandbox, in %s: %s: %s; it blocks calls of mirrors, no other; please report it",
                where, type(error).__name__, error, exc_info=error,
            )  # fmt: skip


def _shown(call: CallRequest) -> str:
    """Method and URL, without the query, which may hold secrets."""
    return f"{printable(call.verb)} {printable(call.url.partition('?')[0])[:200]}"


def unknown_ports(ports: Collection[int], listening: Collection[int]) -> str:
    """Return what is wrong with `mirror_sandbox`: a port at which the proxy does not listen, or no other one; empty if
    it is right."""
    if missing := [str(port) for port in ports if port not in listening]:
        modes = " ".join(f"--mode regular@{port}" for port in missing)
        return f"mirror_sandbox={','.join(missing)}: the proxy does not listen there; start it with {modes} as well"
    if ports and not set(listening) - set(ports):
        return (
            "mirror_sandbox has all ports at which the proxy listens: clients and the primary need another one; start "
            "the proxy with --mode regular@PORT as well"
        )
    return ""
