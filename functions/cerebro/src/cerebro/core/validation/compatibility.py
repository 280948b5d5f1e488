"""Compatibility: whether every output of a task suits what a task downstream expects of it.

Theory of operation. Two JSON Schemas are walked side by side: what is produced, and what is
expected. Each difference is a finding: `breaks`, some output that the first allows is refused by
the second, or `cannot_tell`. Without findings the two are compatible.

What is known: properties, required, additionalProperties, type, enum, const, items, prefixItems,
bounds and lengths, anyOf, oneOf and allOf where they are plain, `$ref` to definitions. A keyword
that is not known narrows what it is written beside. On the side of what is produced it may
therefore be left out: what is compatible stays so. What breaks may then not break, so it is not
decided. On the other side it is not decided either, unless both have the same.

A pair of definitions that is met again is not compared again: its findings are reported where it
was met first, and if some output breaks a recursive pair, a smaller one does. What an alternative
was tried for is forgotten if the alternative was refused.

Invariant: if the answer is `compatible`, no output that is valid for the first is refused by the
second.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

from cerebro.core.validation.known_keywords import (
    WALKED,
    branches_of,
    has_siblings,
    has_unknown_keyword,
    is_exact,
    is_same,
    values_of,
)
from cerebro.core.validation.problems import quoted, shortened
from cerebro.core.validation.schema_bounds import ANNOTATIONS, bound_faults, is_plain
from cordyna_core.contract.schema_values import (
    Schema,
    TooManySteps,
    is_valid,
    resolve,
    types_of,
)

Kind = Literal["compatible", "breaks", "cannot_tell"]

REASONS_MAX: Final = 10
COMPARISONS_REMEMBERED: Final = 1024
DEPTH_MAX: Final = 60
STEPS_MAX: Final = 20_000
"""Of one comparison; what is deeper or longer is not decided."""


@dataclass(frozen=True, slots=True)
class Compatibility:
    """Whether outputs suit, with what speaks against it."""

    kind: Kind
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Finding:
    is_certain: bool
    text: str


def compare(produced: Mapping[str, Any] | None, expected: Mapping[str, Any]) -> Compatibility:
    """Return whether every output that `produced` allows is accepted by `expected`."""
    if produced is None:
        return Compatibility("cannot_tell", ("it does not declare what it returns",))
    found = list(_Walk(produced, expected).compare(produced, expected, (), 0))
    for is_certain, kind in ((True, "breaks"), (False, "cannot_tell")):
        reasons = dict.fromkeys(
            finding.text for finding in found if finding.is_certain is is_certain
        )
        if reasons:
            listed = list(reasons)
            more = len(listed) - REASONS_MAX
            shown = [*listed[:REASONS_MAX], f"and {more} more"] if more > 0 else listed
            return Compatibility("breaks" if kind == "breaks" else "cannot_tell", tuple(shown))
    return Compatibility("compatible")


@lru_cache(maxsize=COMPARISONS_REMEMBERED)
def compare_texts(produced: str | None, expected: str) -> Compatibility:
    """As `compare`, of schemas as JSON: the same edges are looked at again and again.

    They may be of a declaration that is rejected because they are not schemas.
    """
    # It imports jsonschema, 60 ms, and most graphs have no typed edge.
    from cerebro.core.validation.json_schema import faults_of_form  # noqa: PLC0415

    schemas = [json.loads(text) for text in (produced or "{}", expected)]
    if any(map(faults_of_form, schemas)):
        return Compatibility("cannot_tell", ("one of the two is not a JSON Schema",))
    return compare(None if produced is None else schemas[0], schemas[1])


class _Walk:
    """One comparison.

    `_met`: the pairs that were met, by identity, with what keeps these identities.
    """

    def __init__(self, produced: Schema, expected: Schema) -> None:
        self._produced, self._expected = produced, expected
        self._met: dict[tuple[int, int], tuple[Schema, Schema]] = {}
        self._steps = 0

    def compare(
        self, produced: Schema, expected: Schema, path: tuple[str, ...], depth: int
    ) -> Iterator[_Finding]:
        self._steps += 1
        wanted, given = resolve(expected, self._expected), resolve(produced, self._produced)
        is_too_long = depth > DEPTH_MAX or self._steps > STEPS_MAX
        if wanted is None or given is None or is_too_long or has_siblings(expected):
            yield _unknown(path, "its schema is outside of what is compared")
        elif given is False or is_plain(wanted):
            return
        elif wanted is False:
            yield _broken(path, "is not expected")
        elif is_plain(given):
            yield _unknown(path, "it is not said what it is")
        elif not isinstance(given, bool) and not isinstance(wanted, bool):
            pair = (id(given), id(wanted))
            if pair in self._met:
                return
            self._met[pair] = (given, wanted)
            is_decided = is_exact(given) and not has_siblings(produced)
            for finding in self._compare_objects(given, wanted, path, depth + 1):
                # What is left out of `given` may exclude the outputs that would break it.
                yield finding if is_decided else _Finding(is_certain=False, text=finding.text)

    def _is_compatible(
        self, produced: Schema, expected: Schema, path: tuple[str, ...], depth: int
    ) -> bool:
        met = dict(self._met)
        is_compatible = next(self.compare(produced, expected, path, depth), None) is None
        if not is_compatible:
            self._met = met
        return is_compatible

    def _compare_objects(
        self, given: Mapping[str, Any], wanted: Mapping[str, Any], path: tuple[str, ...], depth: int
    ) -> Iterator[_Finding]:
        values = values_of(given)
        if values is not None:
            yield from self._compare_values(values, given, wanted, path)
            return
        branches = branches_of(given)
        if branches:
            for branch in branches:
                yield from self.compare(branch, wanted, path, depth)
            return
        yield from self._compare_alternatives(given, wanted, path, depth)
        for part in wanted.get("allOf", ()):
            yield from self.compare(given, part, path, depth)
        yield from self._compare_type(given, wanted, path, depth)
        for keyword in wanted:
            if keyword in WALKED or keyword in ANNOTATIONS:
                continue
            if not is_same(keyword, given, wanted):
                yield _unknown(path, f"{keyword} is not compared")

    def _compare_values(
        self,
        values: Iterable[Any],
        given: Mapping[str, Any],
        wanted: Mapping[str, Any],
        path: tuple[str, ...],
    ) -> Iterator[_Finding]:
        is_decided = not has_unknown_keyword(wanted, self._expected)
        for value in values:
            try:
                if not is_valid(value, given, self._produced):
                    continue
                is_accepted = is_valid(value, wanted, self._expected)
            except TooManySteps:
                yield _unknown(path, f"it takes too long to check {_shown(value)}")
                continue
            if not is_accepted:
                yield _broken(path, f"may be {_shown(value)}")
            elif not is_decided:
                yield _unknown(path, f"it is not decided whether {_shown(value)} is accepted")

    def _compare_alternatives(
        self, given: Mapping[str, Any], wanted: Mapping[str, Any], path: tuple[str, ...], depth: int
    ) -> Iterator[_Finding]:
        """One of the alternatives has to accept all of it."""
        for keyword in ("anyOf", "oneOf"):
            alternatives = wanted.get(keyword)
            if not alternatives:
                continue
            possible = [schema for schema in alternatives if self._may_overlap(given, schema)]
            if not possible:
                yield _broken(path, "fits no alternative")
            elif len(possible) == 1:
                yield from self.compare(given, possible[0], path, depth)
            elif keyword == "oneOf" or not any(
                self._is_compatible(given, schema, path, depth) for schema in possible
            ):
                yield _unknown(path, "several alternatives are possible")

    def _may_overlap(self, given: Mapping[str, Any], alternative: Schema) -> bool:
        resolved = resolve(alternative, self._expected)
        if resolved is None or isinstance(resolved, bool):
            return resolved is not False
        mine, theirs = set(types_of(given)), set(types_of(resolved))
        if not mine or not theirs:
            return True
        if mine & theirs:
            return True
        return bool({"integer", "number"} & mine and {"integer", "number"} & theirs)

    def _compare_type(
        self, given: Mapping[str, Any], wanted: Mapping[str, Any], path: tuple[str, ...], depth: int
    ) -> Iterator[_Finding]:
        if "enum" in wanted or "const" in wanted:
            only_type = all(keyword == "type" or keyword in ANNOTATIONS for keyword in given)
            say = _broken if only_type else _unknown
            yield say(path, "may be another value than the expected ones")
        named, accepted = types_of(given), types_of(wanted)
        if not named:
            yield _unknown(path, "its type is not said")
            return
        (kind,) = named
        is_whole_number = kind == "integer" and "number" in accepted
        if accepted and kind not in accepted and not is_whole_number:
            yield _broken(path, f"is {kind}, not {' or '.join(accepted)}")
            return
        for is_certain, text in bound_faults(kind, given, wanted):
            yield (_broken if is_certain else _unknown)(path, text)
        if kind == "object":
            yield from self._compare_properties(given, wanted, path, depth)
        elif kind == "array":
            yield from self._compare_items(given, wanted, path, depth)

    def _compare_properties(
        self, given: Mapping[str, Any], wanted: Mapping[str, Any], path: tuple[str, ...], depth: int
    ) -> Iterator[_Finding]:
        sent, taken = given.get("properties", {}), wanted.get("properties", {})
        others_sent: Schema = given.get("additionalProperties", True)
        others_taken: Schema = wanted.get("additionalProperties", True)
        if "patternProperties" in given:
            others_sent = True
        always_sent = given.get("required", ())
        for name in wanted.get("required", ()):
            if name not in always_sent:
                words = "may be missing" if name in sent else "is gone"
                yield _broken((*path, name), words)
        for name, schema in taken.items():
            if name in sent:
                yield from self.compare(sent[name], schema, (*path, name), depth)
            elif name in always_sent or name not in wanted.get("required", ()):
                yield from self.compare(others_sent, schema, (*path, name), depth)
        for name, schema in sent.items():
            if name not in taken:
                yield from self.compare(schema, others_taken, (*path, name), depth)
        if others_sent is not False and others_taken is False:
            yield _unknown(path, "it may send more than is expected")
        else:
            yield from self.compare(others_sent, others_taken, (*path, "*"), depth)

    def _compare_items(
        self, given: Mapping[str, Any], wanted: Mapping[str, Any], path: tuple[str, ...], depth: int
    ) -> Iterator[_Finding]:
        sent, taken = given.get("prefixItems", []), wanted.get("prefixItems", [])
        most = given.get("maxItems")
        first = max(len(sent), len(taken))
        for index in range(first if most is None else min(first, int(most))):
            item = sent[index] if index < len(sent) else given.get("items", True)
            accepted = taken[index] if index < len(taken) else wanted.get("items", True)
            yield from self.compare(item, accepted, (*path, str(index)), depth)
        if most is None or most > first:
            rest, accepted = given.get("items", True), wanted.get("items", True)
            yield from self.compare(rest, accepted, (*path, "[]"), depth)


def _shown(value: Any) -> str:
    return shortened(json.dumps(value, ensure_ascii=False), 60)


def _said(path: tuple[str, ...], text: str) -> str:
    return f"{quoted('.'.join(path))} {text}" if path else text


def _broken(path: tuple[str, ...], text: str) -> _Finding:
    return _Finding(is_certain=True, text=_said(path, text))


def _unknown(path: tuple[str, ...], text: str) -> _Finding:
    prefix = f"{quoted('.'.join(path))}: " if path else ""
    return _Finding(is_certain=False, text=prefix + text)
