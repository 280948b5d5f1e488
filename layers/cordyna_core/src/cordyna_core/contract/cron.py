"""Cron: when a task runs by itself, as five unix fields and in the dialect of EventBridge.

Invariant: what `to_eventbridge` returns fires at exactly the minutes that the five fields name.
What EventBridge cannot express is refused when it is declared, never approximated.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

_MONTHS: Final = {
    "JAN": 1, "FEB": 2, "MAR": 3, "APR": 4, "MAY": 5, "JUN": 6,
    "JUL": 7, "AUG": 8, "SEP": 9, "OCT": 10, "NOV": 11, "DEC": 12,
}  # fmt: skip
_WEEKDAYS: Final = {"SUN": 0, "MON": 1, "TUE": 2, "WED": 3, "THU": 4, "FRI": 5, "SAT": 6}
_DAYS_IN_MONTH: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_TERM: Final = re.compile(
    r"(?:(?P<all>\*)|(?P<first>[0-9]+|[A-Z]+)(?:-(?P<last>[0-9]+|[A-Z]+))?)(?:/(?P<step>[0-9]+))?"
)


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: dict[str, int]

    @property
    def allowed(self) -> str:
        named = f" or {next(iter(self.names))}-{list(self.names)[-1]}" if self.names else ""
        return (
            f"{self.low}-{self.high}{named}, as *, a list 1,2, a range 1-3, or a step */2 or 1-5/2"
        )


_FIELDS: Final = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of month", 1, 31, {}),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 7, _WEEKDAYS),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """The sorted values of each field; Sunday is 0.

    Two expressions that fire at the same times are equal.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read five unix fields: minute, hour, day of month, month, day of week (0, 7: Sunday).

        Raises:
            ValueError: names the wrong field, and what is allowed in it.
        """
        parts = text.upper().split()
        if len(parts) != len(_FIELDS):
            names = ", ".join(field.name for field in _FIELDS)
            count = f"{len(parts)} field{'' if len(parts) == 1 else 's'}"
            raise ValueError(f"cron {text!r} has {count} instead of five: {names}")
        minutes, hours, days, months, weekdays = (
            _values(field, part, text) for field, part in zip(_FIELDS, parts, strict=True)
        )
        weekdays = tuple(sorted({day % 7 for day in weekdays}))
        # The values decide, not the text: `*/1` and full ranges restrict nothing either.
        if len(days) < 31 and len(weekdays) < 7:
            raise ValueError(
                f"cron {text!r} restricts both the day of month ({parts[2]}) and the day of week "
                f"({parts[4]}), which EventBridge cannot express: leave one of them *"
            )
        if min(days) > max(_DAYS_IN_MONTH[month - 1] for month in months):
            raise ValueError(
                f"cron {text!r} never fires: "
                f"day of month {parts[2]} does not exist in month {parts[3]}"
            )
        return cls(minutes, hours, days, months, weekdays)

    def __str__(self) -> str:
        """Return five unix fields without names, ranges or steps, which every cron reads alike."""
        return " ".join(
            _plain(values, size)
            for values, size in zip(self._values, (60, 24, 31, 12, 7), strict=True)
        )

    def to_eventbridge(self) -> str:
        """Return it in the dialect of EventBridge.

        `cron(minute hour day month weekday year)`: Sunday is 1, and one of the day fields is `?`.
        """
        minute, hour = _dialect(self.minutes, 0, 59), _dialect(self.hours, 0, 23)
        month = _dialect(self.months, 1, 12)
        if len(self.weekdays) == 7:
            return f"cron({minute} {hour} {_dialect(self.days, 1, 31)} {month} ? *)"
        # EventBridge has no steps in the day of week ("Cron expressions reference"): write a list.
        weekday = ",".join(str(day + 1) for day in self.weekdays)
        return f"cron({minute} {hour} ? {month} {weekday} *)"

    @property
    def _values(self) -> tuple[tuple[int, ...], ...]:
        return self.minutes, self.hours, self.days, self.months, self.weekdays


def _values(field: _Field, part: str, text: str) -> tuple[int, ...]:
    values: set[int] = set()
    for term in part.split(","):
        try:
            values.update(_values_of_term(field, term))
        except ValueError as invalid:
            raise ValueError(
                f"cron {text!r}: {field.name} {part!r}: {invalid}; allowed: {field.allowed}"
            ) from invalid
    return tuple(sorted(values))


def _values_of_term(field: _Field, term: str) -> range:
    match = _TERM.fullmatch(term)
    if match is None:
        raise ValueError(f"{term!r} is not a list, a range or a step")
    step = int(match["step"] or 1)
    if step < 1:
        raise ValueError("a step is at least 1")
    if match["all"]:
        return range(field.low, field.high + 1, step)
    first = _number(field, match["first"])
    if match["last"] is None:
        if match["step"]:
            raise ValueError(f"a step needs a range: write {first}-{field.high}/{step}")
        return range(first, first + 1)
    # In a range such as FRI-SUN, Sunday is the last day of the week: 7.
    last = 7 if match["last"] == "SUN" and first > 0 else _number(field, match["last"])
    if last < first:
        raise ValueError(f"the range {term!r} runs backwards")
    return range(first, last + 1, step)


def _number(field: _Field, text: str) -> int:
    value = field.names.get(text, -1) if text.isalpha() else int(text)
    if not field.low <= value <= field.high:
        raise ValueError(f"{text!r} is not an allowed value")
    return value


def _plain(values: tuple[int, ...], size: int) -> str:
    return "*" if len(values) == size else ",".join(map(str, values))


def _dialect(values: tuple[int, ...], low: int, high: int) -> str:
    """Return the shortest of `*`, `first/step` (in EventBridge to the end) and a list of ranges."""
    if len(values) == high - low + 1:
        return "*"
    if len(values) > 2:
        step = values[1] - values[0]
        if step > 1 and values == tuple(range(values[0], high + 1, step)):
            return f"{values[0]}/{step}"
    spans: list[list[int]] = []
    for value in values:
        if spans and spans[-1][-1] == value - 1:
            spans[-1].append(value)
        else:
            spans.append([value])
    # Two neighbours are not written as a range: `1,2` is as short as `1-2`.
    return ",".join(
        f"{span[0]}-{span[-1]}" if len(span) > 2 else ",".join(map(str, span)) for span in spans
    )
