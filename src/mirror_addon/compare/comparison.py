"""Compare the primary's response with the shadow's.

Theory of operation. The room is pure: no socket, clock, thread or mitmproxy. Only `record_file` and `report.reading`
access files. It runs in the worker process for every pair (`worker/comparing.py`), in the proxy or a child process of
it for Mirror Diff (`diff_view/comparing.py`), and in the pytest suites that `mirror-addon tests` writes.

A comparison takes these steps:

1. Without a complete response from the mirror the verdict is `failed`; if nothing of the responses was kept it is None;
   if all bytes of both are the same it is `same`, and none of the following is done.
2. What the shadow's response repeats of its own request is undone (`echoes`), and its nonces are put back (`nonces`).
   What differs only before that is noise.
3. The status, the header fields (`headers`, `lists`) and the bodies (`bodies`) are compared. For bodies the content
   coding is undone (`decoded_body`, `codings`), the format is chosen by Content-Type and first bytes (`media_types`),
   and both bodies are parsed and compared by structure: `json_documents` and `json_comparison`, `event_streams`,
   `trees` (XML, HTML), `forms`, `multiparts`, `messages` (gRPC, Protocol Buffers), else `texts`.
   The elements of two lists are paired by `alignment`, so that an inserted one does not shift all that follow.
4. Every difference goes to one `Differences` (`differences`) at a `Place` (`paths`). It keeps one difference for each
   path and kind, and finds out whether it is noise: by a rule of `compare.yaml` (`rules`, `rules_file`, `path_rule`),
   because the primary differs from the control there too, by a known shape of both values (`shapes`), or because the
   mirror made that id itself (`new_ids`).
5. Differences whose cause is a finding that a rule accepts are noise too (`causes`).
6. The verdict is `different` if any difference counts, `noise` if all are noise, and `same` if there is none.

`noise` applies Diffy's rule to many pairs. `findings` counts the causes of many pairs, and `rules_edit` writes rules
for them. `record` makes a line of JSON of a comparison, and `record_file` appends it
to a file; `report` reads such files, and `suite` makes tests of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.bodies import compare_bodies
from mirror_addon.compare.decoded_body import DecodedBody
from mirror_addon.compare.decoded_body import read_body
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.differences import ControlNoise
from mirror_addon.compare.differences import Differences
from mirror_addon.compare.echoes import Asked
from mirror_addon.compare.echoes import Echo
from mirror_addon.compare.endpoint import endpoint_of_pair
from mirror_addon.compare.headers import Headers
from mirror_addon.compare.headers import compare_headers
from mirror_addon.compare.headers import values_of
from mirror_addon.compare.media_types import form_of
from mirror_addon.compare.messages.frames import unwrapped
from mirror_addon.compare.messages.status import compare_status
from mirror_addon.compare.new_ids import PairIds
from mirror_addon.compare.nonces import paired_nonces
from mirror_addon.compare.path_rule import PathRule
from mirror_addon.compare.rules import DEFAULT_RULES
from mirror_addon.compare.rules import Rules
from mirror_addon.compare.shapes import Shapes
from mirror_addon.compare.shapes import Sides
from mirror_addon.compare.timestamps import parse_timestamp
from mirror_addon.compare.twin_values import Translation
from mirror_addon.compare.twin_values import TwinValues

MAX_DIFFERENCES = 100
"""The most differences that a comparison lists."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result. `verdict`: `same`, `different`, `noise` (all differences are), `failed` (the mirror sent no complete
    response), or None if nothing of the responses was kept. `differences`: those that count come first. `notes`: what
    could not be compared, and why. `more`: the number of differences beyond those listed. `twin`: what was translated
    in the shadow's request; None where `mirror_twin` is off. `endpoint`: what findings name it, as in the record; empty
    where whoever compared has not said it.
    """

    verdict: str | None
    differences: tuple[Difference, ...] = ()
    notes: tuple[str, ...] = ()
    more: int = 0
    twin: tuple[Translation, ...] | None = None
    endpoint: str = ""


SAME = Comparison("same")


def compare(
    primary: Answer,
    shadow: Answer,
    rules: Rules = DEFAULT_RULES,
    *,
    control: Answer | None = None,
    method: str = "",
    url: str = "",
    operation: str = "",
    ids: PairIds | None = None,
    twin: TwinValues | None = None,
    now: float | None = None,
    primary_now: float | None = None,
) -> Comparison:
    """Compare a pair. No content of a response makes it raise.

    `control`: a second response of the primary to the same request; where it differs from the first one, differences
    are noise. `method`, `url`, `operation` (of GraphQL): of the request, for rules that name an endpoint; an id in the
    URL is never noise. `ids`: what is known of the mirror's ids. `twin`: which values were translated. `now`:
    when the responses were made, in seconds since the epoch; `primary_now`: the same for the primary's response, if
    that was made at another time.
    """
    if shadow.error or shadow.status is None:
        return Comparison("failed")
    if not (primary.headers or shadow.headers) and primary.body is None and shadow.body is None:
        return Comparison(None)
    if not (twin is not None and twin.foreign) and _equal(primary, shadow):
        return SAME
    if primary_now is None:
        primary_now = now
    active = rules.applying(method, url, operation)
    noise = None
    if control is not None and not control.error and control.status is not None:
        own = _ResponsePair(primary, control, url, primary_now, primary_now, rules.descriptors, keeps_places=True)
        noise = own.differences(rules, active, None).as_control()
    pair = _ResponsePair(primary, shadow, url, primary_now, now, rules.descriptors, twin)
    differences = pair.differences(rules, active, noise, ids)
    if ids is not None and ids.found and differences.verdict() == "different":
        # What was compared before the id was found may have it too.
        differences = pair.differences(rules, active, noise, ids)
    for each in twin.foreign if twin is not None else ():
        differences.add_foreign(each)
    if rules.accepted:
        differences.accept(rules.accepted, endpoint_of_pair(method, url, operation, primary.headers, shadow.headers))
    listed, more = differences.listed(MAX_DIFFERENCES)
    return Comparison(differences.verdict(), listed, tuple(dict.fromkeys(differences.notes)), more)


def _equal(primary: Answer, shadow: Answer) -> bool:
    """Whether two responses have the same bytes, and nothing but that is to be said of them: both were kept whole, and
    neither repeats what only the shadow's request has. Many pairs are such, and need no parser."""
    body = primary.body
    if body is None or body != shadow.body or primary.status != shadow.status or primary.headers != shadow.headers:
        return False
    if not (primary.bytes == shadow.bytes <= len(body) and primary.ended and shadow.ended) or primary.error:
        return False
    asked = shadow.asked
    if asked is not None and _may_repeat(asked, body, shadow.headers):
        return False
    return not any(len(name) == 16 and name.lower() == b"content-encoding" for name, _ in primary.headers)


class _ResponsePair:
    """Two responses with their bodies decoded."""

    def __init__(
        self,
        primary: Answer,
        shadow: Answer,
        url: str,
        primary_now: float | None,
        shadow_now: float | None,
        descriptors: bytes,
        twin: TwinValues | None = None,
        *,
        keeps_places: bool = False,
    ) -> None:
        self._twin = twin
        self._primary = primary = unwrapped(primary)
        self._shadow = shadow = unwrapped(shadow)
        self._notes: list[str] = []
        self._bodies = (
            read_body(primary, "primary", self._notes, url, descriptors),
            read_body(shadow, "shadow", self._notes, url, descriptors),
        )
        self._descriptors = descriptors
        self._created = _created(primary, primary_now), _created(shadow, shadow_now)
        self._url = url
        self._keeps_places = keeps_places

    def differences(
        self,
        rules: Rules,
        active: tuple[PathRule, ...],
        noise: ControlNoise | None,
        ids: PairIds | None = None,
    ) -> Differences:
        """Compare the responses, after what the shadow repeats of its own request was undone."""
        primary, shadow = self._primary, self._shadow
        body, other = self._bodies
        echo = _echo(primary, body, shadow, other)
        if echo is None:
            return self._compared(rules, active, noise, None, ids, shadow.headers, other)
        headers, content = echo.undone_headers(shadow.headers), echo.undone(other.content)
        if headers is shadow.headers and content is other.content:
            return self._compared(rules, active, noise, echo, ids, headers, other)
        if form_of(other.type, other.content) in ("grpc", "protobuf"):
            undone = other._replace(call=other.call._replace(rewrite=echo.undone_text))
        else:
            length = None if other.bytes is None or other.cut else other.bytes + len(content) - len(other.content)
            undone = other._replace(content=content, bytes=length)
        found = self._compared(rules, active, noise, echo, ids, headers, undone)
        found.add_undone(self._compared(rules, active, noise, None, None, shadow.headers, other), echo)
        return found

    def _compared(
        self,
        rules: Rules,
        active: tuple[PathRule, ...],
        noise: ControlNoise | None,
        echo: Echo | None,
        ids: PairIds | None,
        headers: Headers,
        other: DecodedBody,
    ) -> Differences:
        primary, shadow, body = self._primary, self._shadow, self._bodies[0]
        sides = Sides(*self._created, body.text, other.text, self._url, echo.undone_text if echo else str)
        shapes = Shapes(sides) if rules.shapes else None
        found = Differences(active, shapes, noise, echo, ids, self._twin, keeps_places=self._keeps_places)
        if primary.status != shadow.status:
            kind = "value" if primary.status is not None else "extra"
            found.add(found.place("status"), kind, primary.status, shadow.status, lambda: "status")
        if primary.status is None or (primary.error and primary.ended):
            found.notes.append(f"no complete response from the primary: {primary.error or 'no error was reported'}")
            return found
        compare_headers(found, *compare_status(found, primary.headers, headers, self._descriptors))
        if primary.body is None or shadow.body is None:
            sides_without = [side for side, each in (("primary", primary), ("shadow", shadow)) if each.body is None]
            found.notes.append(f"body not compared: the body of {' and '.join(sides_without)} was not kept")
            return found
        found.notes += self._notes
        compare_bodies(found, body, other)
        return found


def _may_repeat(asked: Asked, body: bytes, headers: Headers) -> bool:
    return asked.may_be_in(body) or asked.may_be_in(b"\n".join([value for _, value in headers]))


def _echo(primary: Answer, body: DecodedBody, shadow: Answer, other: DecodedBody) -> Echo | None:
    """What the shadow's response may repeat of its request, and its nonces; None if there is no such thing."""
    nonces = paired_nonces(primary.headers, body.content, shadow.headers, other.content)
    asked = shadow.asked
    if asked is not None and not _may_repeat(asked, other.content, shadow.headers):
        asked = None
    return Echo(asked, nonces) if asked is not None or nonces else None


def _created(response: Answer, now: float | None) -> tuple[float, ...]:
    """When a response was made, in seconds since the epoch: from `ms` before `now` to `now`, and by its Date field."""
    dates = values_of(response.headers, b"date")
    stated = [found.seconds for date in dates[:1] if (found := parse_timestamp(date))]
    if now is None:
        return tuple(stated)
    return (now, now - response.ms / 1000, *stated) if response.ms else (now, *stated)
