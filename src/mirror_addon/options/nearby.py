"""What somebody meant who wrote a value or a name of an option that is nearly right: `did you mean 1%?`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from typing import Any

WORDS = ("all", "safe", "auto", "keep", "discard", "NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES")
"""Values of options that accept only some words."""
LONGEST = 200
"""Characters of a text for which something near is looked for."""
PREFIX = "mirror_"
NAME_IS_NEAR = 0.75
PREFIX_IS_NEAR = 0.8
"""Ratios of difflib from which on a name, or its first word, was probably meant to be another."""
_UNITS = {
    "": "s", "second": "s", "sec": "s", "minute": "m", "min": "m", "hour": "h", "hr": "h",
    "millisecond": "ms", "msec": "ms", "milli": "ms",
}  # fmt: skip
_BOOLS = {
    "1": "true", "yes": "true", "on": "true", "y": "true", "t": "true", "true": "true",
    "0": "false", "no": "false", "off": "false", "n": "false", "f": "false", "false": "false",
}  # fmt: skip


def did_you_mean(parse: Callable[[str], Any], text: str) -> str:
    """Return `; did you mean TEXT?` with a text like the given one that `parse` accepts; empty if none is known.

    `parse` raises ValueError for what it does not accept.
    """
    if len(text) > LONGEST:
        return ""
    for candidate in dict.fromkeys(_candidates(text)):
        try:
            parse(candidate)
        except ValueError:
            continue
        return f"; did you mean {candidate}?"
    return ""


def near_bool(text: str) -> str:
    """Return `; did you mean true?` for a word that elsewhere means true or false; empty for others."""
    word = _BOOLS.get(text.strip().lower())
    return f"; did you mean {word}?" if word else ""


def begins_like_ours(name: str) -> bool:
    """Whether a name begins with the prefix of our options, or with something like it: `mirorr_to`."""
    return _ratio(re.split(r"[-_. ]", name.lower()[:LONGEST])[0], PREFIX.rstrip("_")) >= PREFIX_IS_NEAR


def near_option(name: str, known: Collection[str], others: Collection[str]) -> str | None:
    """Return which of the `known` options somebody may have meant by `name`, which is none; None where it looks like
    an option of somebody else. `others` are the names of all other options.

    Dashes, dots and upper case do not matter, and the prefix `mirror_` may be misspelt or missing.
    """
    plain = re.sub(r"[-. ]", "_", name.lower())[:LONGEST]
    short = {each.removeprefix(PREFIX): each for each in known}
    for full in (plain, f"{PREFIX}{plain}"):
        if full in known:
            return full
    near = difflib.get_close_matches(plain, [*known, *others], n=1, cutoff=NAME_IS_NEAR)
    if near:
        return near[0] if near[0] in known else None
    if begins_like_ours(name):
        rest = plain.partition("_")[2]
        return short[max(short, key=lambda each: _ratio(rest, each))]
    near = difflib.get_close_matches(plain, [each for each in short if len(each) > 4], n=1, cutoff=0.85)
    return short[near[0]] if near else None


def _ratio(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()


def _candidates(text: str) -> Iterator[str]:
    """Texts that may have been meant, the likeliest first."""
    text = text.strip()
    yield text
    if re.fullmatch(r"[0-9.]+", text):
        yield from (f"{text}%", f"{text}s")
    yield from _with_unit(text)
    yield from (text.lower(), text.upper(), text.replace(",", "").replace("_", ""))
    yield from difflib.get_close_matches(text.lower(), WORDS, n=1)
    yield from difflib.get_close_matches(text.upper().replace("-", "_"), WORDS, n=1)
    yield ",".join(part for part in re.split(r"[;,\s]+", text) if part)
    yield from _addresses(text)


def _with_unit(text: str) -> Iterator[str]:
    """Durations and sizes whose unit is written in another way: `5 min`, `2d`, `64M`."""
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*([a-zA-Z]*)", text)
    if match is None:
        return
    number, unit = match[1], match[2].lower()
    if unit in ("d", "day", "days"):
        yield f"{float(number) * 24:g}h"
    unit = unit.removesuffix("s") if len(unit) > 2 else unit
    yield f"{number}{_UNITS.get(unit, unit)}"
    if unit[:1] in ("k", "m", "g", "t"):
        yield f"{number}{unit[0].upper()}iB"


def _addresses(text: str) -> Iterator[str]:
    """Addresses: `HOST=PORT`, `HOST=http://ADDRESS:PORT`, `HOST:ADDRESS:PORT`, a URL without its scheme, `:PORT`."""
    name, _, target = text.rpartition("=")
    target = re.sub(r"^https?://|/$", "", target)
    yield f"{name}={target}"
    yield f"{name}=127.0.0.1:{target.removeprefix(':')}"
    if match := re.fullmatch(r"([^:=\s]+)[:\s]\s*(\S+:[0-9]+)", text):
        yield f"{match[1]}={match[2]}"
    if re.fullmatch(r"[^\s/:]+:[0-9]+(/\S*)?", text):
        yield f"http://{text}"
    if text.startswith(("~", "!", "(")):
        yield f"|{text}"
    yield text.rpartition(":")[2]
