"""Numbers that a mirror made as ids, and that stand for the primary's.

Theory of operation. Where primary and mirror count their own records, the response to a POST has 1001 on one side and
57 on the other, and so have all later ones. A single pair cannot show whether a number is such an id or a wrong value,
but many can: the mirror's number stands for the primary's if it does so each time, and for no other. `NewIds` remembers
the pairs of numbers of one mirror, by what they are ids of (`resources`).

A pair of numbers is learned

- from the response to a request that makes something (POST, a mutation of GraphQL), if the number is an id of what the
  endpoint makes, and neither number was in the request: those that were refer to something that is there already; or
- from any later response that repeats it, if the endpoint of that resource was asked to make something before.

A learned pair is noise wherever the same thing is meant: in a member with the name of an id, or in a URL. A number that
is no id by its name is never looked at. What contradicts the pairs that were learned counts.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable
from functools import cached_property

from mirror_addon.compare.endpoint import endpoint_of
from mirror_addon.compare.resources import made_by
from mirror_addon.compare.resources import resource_at
from mirror_addon.compare.resources import resource_of

MAX_LEARNED = 20_000
"""Pairs that are remembered of one mirror. The oldest is forgotten first."""
_MAX_POSTED = 1000
_ID = re.compile(r"[1-9]\d{0,18}")
_RUN = re.compile(r"\d{1,19}")
_LONGEST = 2000
READING = re.compile(
    r".*/(?:login|logout|sign-?in|sign-?up|sessions?|tokens?|auth\w*|oauth\w*|search|query|find|filter|lookup|list|count"
    r"|validate|verify|check|preview|calculate|estimate|quote|batch|bulk|rpc|graphql)/?",
    re.IGNORECASE,
)
"""Paths of POST requests that make nothing, or nothing that the path names."""
_AFTER_SEGMENT = ("", "/", "?", "#", ">", '"', "'", ".")
_ARGUMENT = re.compile(r"[?&;]([A-Za-z_]{2,40})=\Z")


Step = tuple[str, int, int, bool]
"""A change of a `NewIds`: resource, both numbers, and `new`, as passed to `stands_for`; the resource and two zeros for
`posted`."""


class NewIds:
    """What was learned of one mirror.

    Where pairs of one mirror are compared in two processes, each has a copy: `changes` are what to `replay` in the
    other one.
    """

    def __init__(self, most: int = MAX_LEARNED) -> None:
        self._most = most
        self._shadow: OrderedDict[tuple[str, int], int] = OrderedDict()
        self._primary: dict[tuple[str, int], int] = {}
        self._seen: OrderedDict[tuple[str, int], int] = OrderedDict()
        self._posted: OrderedDict[str, None] = OrderedDict()
        self._steps: list[Step] | None = None

    def posted(self, resource: str) -> None:
        """Something was made, or should have been."""
        if resource not in self._posted:
            self._log((resource, 0, 0, True))
        self._posted[resource] = None
        if len(self._posted) > _MAX_POSTED:
            self._posted.popitem(last=False)

    def stands_for(self, resource: str, primary: int, shadow: int, *, new: bool) -> bool:
        """Whether the mirror's number stands for the primary's. `new`: it was made just now, so it is learned."""
        key = resource, primary
        if (known := self._shadow.get(key)) is not None:
            return known == shadow
        if (resource, shadow) in self._primary:
            return False
        if not new:
            if resource not in self._posted:
                return False
            if self._seen.get(key) != shadow:
                self._log((resource, primary, shadow, False))
                self._seen[key] = shadow
                if len(self._seen) > self._most:
                    self._seen.popitem(last=False)
                return False
        self._log((resource, primary, shadow, new))
        self._shadow[key] = shadow
        self._primary[resource, shadow] = primary
        if len(self._shadow) > self._most:
            (old, _), gone = self._shadow.popitem(last=False)
            self._primary.pop((old, gone), None)  # not there if a comparison was interrupted here
        return True

    def _log(self, step: Step) -> None:
        if self._steps is not None and len(self._steps) <= self._most:
            self._steps.append(step)

    def changes(self) -> list[Step] | None:
        """The steps since the last call; None if there are none to go by: at the first call, and after too many."""
        steps, self._steps = self._steps, []
        return steps if steps is not None and len(steps) <= self._most else None

    def snapshot(self) -> list[Step]:
        """Steps that make a new NewIds know the same."""
        steps = [(resource, 0, 0, True) for resource in self._posted]
        steps += [(resource, primary, shadow, True) for (resource, primary), shadow in self._shadow.items()]
        return steps + [(resource, primary, shadow, False) for (resource, primary), shadow in self._seen.items()]

    def replay(self, steps: Iterable[Step]) -> None:
        """Take over steps of a copy. They are no `changes` of this one."""
        kept, self._steps = self._steps, None
        for resource, primary, shadow, new in steps:
            if primary:
                self.stands_for(resource, primary, shadow, new=new)
            else:
                self.posted(resource)
        self._steps = kept


class PairIds:
    """The ids of one pair. `request`: URL and body of the request; None if the body is not known as a whole."""

    def __init__(
        self, learned: NewIds, method: str, url: str, request: str | None, *, created: bool, operation: str | None
    ) -> None:
        """`created`: both statuses are 201. `operation`: of GraphQL, if it is a mutation; empty if it is another one;
        None: the request is none of GraphQL."""
        self.found = False
        """Whether a pair of numbers was learned or known, so that comparing again may find more of them."""
        self._learned = learned
        self._created = created
        self._mutation = bool(operation)
        self._request = request
        self._used: frozenset[str] | None = None
        self._url = url
        self._makes = method == "POST" and (operation is None or self._mutation)
        if self._makes:
            self._makes = self._mutation or created or not READING.fullmatch(self._path)
            if self._makes and self._resource:
                learned.posted(self._resource)

    @cached_property
    def _path(self) -> str:
        return endpoint_of("", self._url)

    @cached_property
    def _resource(self) -> str:
        return resource_of(self._path)

    def same(self, name: str, path: str, primary: object, shadow: object) -> bool:
        """Whether two values are the same except for ids of which one stands for the other."""
        if isinstance(primary, str) and isinstance(shadow, str):
            return self._texts_same(name, path, primary, shadow)
        if type(primary) is int and type(shadow) is int and primary > 0 and shadow > 0:
            return self._ids_same(resource_at(path, name, self._resource), name, path, primary, shadow)
        return False

    def _texts_same(self, name: str, path: str, primary: str, shadow: str) -> bool:
        if _ID.fullmatch(primary) and _ID.fullmatch(shadow):
            return self._ids_same(resource_at(path, name, self._resource), name, path, int(primary), int(shadow))
        if max(len(primary), len(shadow)) > _LONGEST:
            return False
        runs, others = list(_RUN.finditer(primary)), list(_RUN.finditer(shadow))
        if not runs or len(runs) != len(others) or _RUN.sub("0", primary) != _RUN.sub("0", shadow):
            return False
        return all(
            one[0] == other[0] or self._run_same(name, path, one, other[0])
            for one, other in zip(runs, others, strict=True)
        )

    def _run_same(self, name: str, path: str, run: re.Match[str], shadow: str) -> bool:
        """Whether two numbers in texts are ids of which one stands for the other: segments of a path, arguments of a
        query, numbers behind `#`, or parts of the text of an id."""
        text, primary = run.string, run[0]
        if not _ID.fullmatch(primary) or not _ID.fullmatch(shadow):
            return False
        before, after = text[: run.start()], text[run.end() :]
        if before.endswith("/") and after[:1] in _AFTER_SEGMENT:
            resource = resource_of(before.rstrip("/").rpartition("/")[2])
        elif argument := _ARGUMENT.search(before):
            resource = resource_at(argument[1], argument[1], "")
        elif before.endswith("#"):
            return bool(self._resource) and self._stands_for(self._resource, int(primary), int(shadow), new=False)
        else:
            resource = resource_at(path, name, self._resource)
        return self._ids_same(resource, name, path, int(primary), int(shadow))

    def _ids_same(self, resource: str, name: str, path: str, primary: int, shadow: int) -> bool:
        if not resource:
            return False
        return self._stands_for(resource, primary, shadow, new=self._is_new(resource, name, path, primary, shadow))

    def _stands_for(self, resource: str, primary: int, shadow: int, *, new: bool) -> bool:
        same = self._learned.stands_for(resource, primary, shadow, new=new)
        self.found |= same
        return same

    def _is_new(self, resource: str, name: str, path: str, primary: int, shadow: int) -> bool:
        """Whether the request made the thing that has this id."""
        if not self._makes or self._request is None:
            return False
        if self._used is None:
            self._used = frozenset(_RUN.findall(self._request))
        if str(primary) in self._used or str(shadow) in self._used:
            return False
        if self._mutation:
            made = [made_by(step) for step in path.split(".")]
            return "[*]" not in path and any(made) and resource in (*made, *(step.lower() for step in path.split(".")))
        if resource.rstrip("#") == self._resource:
            return self._created or "[*]" not in path
        return self._created and "[*]" in path and name == "id"  # the parts of what was made
