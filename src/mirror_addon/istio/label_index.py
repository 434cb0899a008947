"""Sets of labels by namespace, and which of them a selector selects, without comparing it with each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

Labels = Mapping[str, str]


class LabelIndex:
    def __init__(self) -> None:
        self._all: dict[str, list[Labels]] = defaultdict(list)
        self._by_label: dict[tuple[str, str, str], list[Labels]] = defaultdict(list)
        self._everywhere: dict[tuple[str, str], list[tuple[str, Labels]]] = defaultdict(list)
        self._selected: dict[tuple[str, frozenset[tuple[str, str]]], tuple[Labels, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(self, namespace: str, labels: Labels) -> None:
        self._selected.clear()
        self._all[namespace].append(labels)
        for key, value in labels.items():
            self._by_label[namespace, key, value].append(labels)
            self._everywhere[key, value].append((namespace, labels))

    def select(self, selector: Labels, namespace: str) -> tuple[Labels, ...]:
        """Return the sets of the namespace that include all labels of the selector; all of them for an empty one."""
        if not selector:
            return tuple(self._all.get(namespace, ()))
        known = (namespace, frozenset(selector.items()))
        if known not in self._selected:
            candidates = [self._by_label.get((namespace, key, value), []) for key, value in selector.items()]
            self._selected[known] = tuple(labels for labels in min(candidates, key=len) if selects(selector, labels))
        return self._selected[known]

    def everywhere(self, selector: Labels) -> list[tuple[str, Labels]]:
        """Return the sets of all namespaces that the selector selects, with their namespaces."""
        if not selector:
            return [(namespace, labels) for namespace, all_ in self._all.items() for labels in all_]
        candidates = [self._everywhere.get(label, []) for label in selector.items()]
        return [found for found in min(candidates, key=len) if selects(selector, found[1])]


def selects(selector: Labels, labels: Labels) -> bool:
    """Return whether the labels include all those of the selector."""
    return selector.items() <= labels.items()
