"""Describe: everything that is declared about a task, and its last runs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from rich.text import Text

from cordyna_cli.render.layout.paragraph import wrapped
from cordyna_cli.render.layout.table import Cell, Column, aligned
from cordyna_cli.render.lists import cron_words
from cordyna_cli.wording.foreign_text import one_line, printable
from cordyna_cli.wording.format import ago, compact_json, duration, moment
from cordyna_cli.wording.notices import allowed_words, deprecated_words
from cordyna_cli.wording.schemas import parameter_words, schema_words
from cordyna_cli.wording.status_marks import run_mark
from cordyna_core.contract.json_values import JsonObject
from cordyna_core.contract.secret_params import secret_names
from cordyna_core.contract.views.graph import TaskInfo
from cordyna_core.contract.views.runs import RunSummary

_PARAMETERS: Final = (
    Column(yields=1),
    Column(yields=2, prose="wrap"),
    Column(yields=3, prose="wrap"),
)
_RUNS: Final = (Column(), Column(), Column())
_LABEL_COLUMNS: Final = 12


def describe_lines(
    info: TaskInfo,
    downstream: Sequence[str],
    runs: Sequence[RunSummary],
    now: datetime,
    width: int | None,
    *,
    paused: bool = False,
) -> list[Text]:
    """Return paragraphs for what is declared, its parameters and its last runs."""
    owner = f"  owner {one_line(info.owner)}" if info.owner else ""
    head = Text.assemble((info.task, "bold"), f" on {info.server}", (owner, "dim"))
    description = printable(info.description or "").strip().splitlines()
    facts = [
        _labelled(label, words)
        for label, words in _facts(info, downstream, now, paused=paused)
        if words
    ]
    text = [head, *(Text(f"  {line}") for line in description), Text(), *facts]
    return [
        *(part for line in text for part in wrapped(line, width)),
        *_parameters(info.params_schema or {}, width),
        *_runs(runs, now, width),
    ]


def _facts(
    info: TaskInfo, downstream: Sequence[str], now: datetime, *, paused: bool
) -> list[tuple[str, str]]:
    upstream = [_edge(info, name) for name in info.upstream]
    overlap = f"; overlap {info.overlap}"
    if info.next_at is not None:
        overlap += f"; next {moment(info.next_at, now)} ({ago(info.next_at, now)})"
    if paused:
        overlap += f"; paused until `dyna cron resume {info.task}`"
    clocks = (
        f"acknowledge {duration(info.ack_timeout_s)}, start {duration(info.start_timeout_s)}, "
        f"run {duration(info.run_timeout_s)}"
    )
    return [
        ("upstream", ", ".join(upstream) or "none"),
        ("downstream", ", ".join(downstream) or "none"),
        ("cron", f"{cron_words(info)}{overlap}" if info.cron else ""),
        ("due", info.due or ""),
        ("retries", _retries(info)),
        ("clocks", clocks),
        ("returns", schema_words(info.output_schema) if info.output_schema else ""),
        *(("expects", _expectation(info, name, schema)) for name, schema in info.expects.items()),
        ("consumers", "" if info.consumers is None else allowed_words(info.consumers)),
        ("invokers", "" if info.invokers is None else allowed_words(info.invokers)),
        ("deprecated", deprecated_words(info)),
        *(("notice", one_line(notice.message)) for notice in info.notices),
    ]


def _retries(info: TaskInfo) -> str:
    """Return `3`; with a policy of its own `3, after 30.0 s, times 1.5 up to 10 m 00 s`."""
    known = TaskInfo.model_fields
    policy = ("retry_delay_s", "retry_backoff", "retry_max_delay_s", "retry_jitter")
    if all(getattr(info, name) == known[name].default for name in policy):
        return str(info.retries)
    jitter = "" if info.retry_jitter else ", without jitter"
    return (
        f"{info.retries}, after {duration(info.retry_delay_s)}, times {info.retry_backoff:g} "
        f"up to {duration(info.retry_max_delay_s)}{jitter}"
    )


def _expectation(info: TaskInfo, name: str, schema: JsonObject) -> str:
    strict = " (strict)" if name in info.strict else ""
    return f"{name}: {schema_words(schema)}{strict}"


def _edge(info: TaskInfo, name: str) -> str:
    within_s = info.within_s.get(name)
    notes = [
        *(["not declared"] if name in info.unresolved else []),
        *([f"within {duration(within_s)}"] if within_s else []),
    ]
    return f"{name} ({', '.join(notes)})" if notes else name


def _labelled(label: str, words: str) -> Text:
    return Text.assemble("  ", (label.ljust(_LABEL_COLUMNS), "dim"), words)


def _parameters(schema: JsonObject, width: int | None) -> list[Text]:
    properties = schema.get("properties")
    if not isinstance(properties, dict) or not properties:
        return []
    required = schema.get("required") or ()
    secrets = secret_names(schema)
    rows: list[tuple[Cell, ...]] = [
        (
            Text(f"  {one_line(str(name))}", "bold"),
            _secret_words(is_required=name in required)
            if name in secrets
            else _type_words(spec, schema, is_required=name in required),
            one_line(str(spec.get("description", ""))) if isinstance(spec, dict) else "",
        )
        for name, spec in properties.items()
    ]
    return [Text(), Text("parameters", style="bold dim"), *aligned(_PARAMETERS, rows, width)]


def _type_words(spec: Any, schema: JsonObject, *, is_required: bool) -> str:
    """Return `string, default "today"`, `integer, required`, `one of "a", "b"`."""
    words = parameter_words(spec, schema)
    if isinstance(spec, dict) and "default" in spec:
        return one_line(f"{words}, default {compact_json(spec['default'])}")
    return one_line(f"{words}, required" if is_required else words)


def _secret_words(*, is_required: bool) -> str:
    """A default of a secret is not shown: its declaration contains asterisks."""
    return "secret, by reference" + (", required" if is_required else ", with a default")


def _runs(runs: Sequence[RunSummary], now: datetime, width: int | None) -> list[Text]:
    rows: list[tuple[Cell, ...]] = [
        (
            Text.assemble(
                "  ", (f"{run_mark(run).sign} {run_mark(run).word}", run_mark(run).style)
            ),
            run.run_id,
            ago(run.created_at, now),
        )
        for run in runs
    ]
    return (
        [Text(), Text("last runs", style="bold dim"), *aligned(_RUNS, rows, width)] if rows else []
    )
