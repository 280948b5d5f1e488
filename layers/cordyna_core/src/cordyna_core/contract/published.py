"""The published contract: the JSON Schemas and tables of docs/contract, for other languages.

Invariant: the models, the registry and the table of reasons are the only source.
`python -m cordyna_core.contract.published docs/contract` writes the files; with `--check` it writes
nothing, names each file that is not current, and exits with 1 if there is one.

In README.md, only the text between a pair of markers is generated: `<!-- NAME: generated -->` and
`<!-- NAME: end -->`.
"""

import argparse
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cordyna_core.contract.envelope import RawEnvelope
from cordyna_core.contract.json_schemas import json_schema_of
from cordyna_core.contract.reasons import REASONS
from cordyna_core.contract.registry import MESSAGES, REGISTRY, MessageSpec, Sender
from cordyna_core.contract.views.graph import PlanView
from cordyna_core.contract.views.runs import RunView

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_VIEWS: Final = {view.__name__: view for view in (RunView, PlanView)}
ENVELOPE: Final = "envelope"
README: Final = "README.md"


def schemas() -> dict[str, dict[str, Any]]:
    """Return every published schema by name: the messages, the envelope, the published views."""
    # Others read a view and cordyna writes it, so its schema is that of the written JSON.
    views = {name: json_schema_of(view, mode="serialization") for name, view in _VIEWS.items()}
    messages = {name: json_schema_of(kind) for name, kind in MESSAGES.items()}
    return {
        name: {"$schema": _DIALECT, "$id": f"{name}.json", **schema}
        for name, schema in (messages | views | {ENVELOPE: _envelope_schema()}).items()
    }


def _envelope_schema() -> dict[str, Any]:
    """Return the schema of any event: the detail-type determines the schema of the detail."""
    schema = json_schema_of(RawEnvelope)
    schema["description"] = (
        "An event of the contract as EventBridge delivers it; "
        "`detail` is of the type that `detail-type` names."
    )
    schema["properties"]["detail-type"]["enum"] = list(MESSAGES)
    schema["allOf"] = [
        {
            "if": {"properties": {"detail-type": {"const": name}}},
            "then": {"properties": {"detail": {"$ref": f"{name}.json"}}},
        }
        for name in MESSAGES
    ]
    return schema


def schema_files() -> dict[str, str]:
    """Return the text of every schema file by file name."""
    return {
        f"{name}.json": json.dumps(schema, indent=2, sort_keys=True) + "\n"
        for name, schema in sorted(schemas().items())
    }


_SENDER_NAMES: Final = {
    Sender.CLIENT: "a client",
    Sender.SERVER: "a server",
    Sender.SCHEDULER: "the scheduler",
    Sender.CEREBRO: "cerebro",
}


def message_table() -> str:
    """Return the table of all messages: who sends each, who receives it, what it means."""
    rows = [
        (
            f"[{spec.detail_type}]({spec.detail_type}.json)",
            ", ".join(_SENDER_NAMES[sender] for sender in spec.senders),
            _receivers(spec),
            spec.meaning,
        )
        for spec in REGISTRY
    ]
    return _table(("`detail-type`", "sent by", "received by", "meaning"), rows)


def _receivers(spec: MessageSpec) -> str:
    receivers = (["cerebro"] if spec.to else []) + (["a server"] if spec.to_servers else [])
    return ", ".join(receivers) or "who wants to know"


def reason_table() -> str:
    """Return the table of all states and reasons."""
    rows = [
        (
            f"`{row.state}`",
            f"`{row.reason}`" if row.reason else "",
            row.meaning,
            {True: "yes", False: "no", None: ""}[row.is_retryable],
            "yes" if row.is_reported else "",
        )
        for row in REASONS
    ]
    return _table(("state", "reason", "meaning", "tried again", "a server may report it"), rows)


_TABLES: Final[Mapping[str, Callable[[], str]]] = {
    "messages": message_table,
    "reasons": reason_table,
}


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def with_tables(text: str) -> str:
    """Return a document with the text between each pair of markers generated again.

    Raises:
        ValueError: a pair of markers is missing.
    """
    for name, table in _TABLES.items():
        begin, end = f"<!-- {name}: generated -->", f"<!-- {name}: end -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        match = pattern.search(text)
        if match is None:
            raise ValueError(f"the document has no line {begin!r} followed by {end!r}")
        text = f"{text[: match.start()]}{begin}\n{table()}\n{end}{text[match.end() :]}"
    return text


def stale_files(folder: Path) -> dict[str, str | None]:
    """Return the files of `folder` that are not current: name -> text, or None to remove it."""
    present = {path.name: path.read_text() for path in folder.glob("*.json")}
    wanted: dict[str, str | None] = dict.fromkeys(present) | schema_files()
    if (folder / README).exists():
        present[README] = (folder / README).read_text()
        wanted[README] = with_tables(present[README])
    return {
        name: text
        for name, text in sorted(wanted.items())
        if text is None or text != present.get(name)
    }


def write(folder: Path) -> None:
    """Write every file that is not current, and remove the schemas of removed models."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in stale_files(folder).items():
        path = folder / name
        path.unlink() if text is None else path.write_text(text)


def main(arguments: list[str] | None = None) -> int:
    """Write or check the files; return 0 if all are current, else 1."""
    module = "python -m cordyna_core.contract.published"
    parser = argparse.ArgumentParser(prog=module, description="Write the published contract.")
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--check", action="store_true", help="write nothing, only name what is not current"
    )
    options = parser.parse_args(arguments)
    if not options.check:
        write(options.folder)
    stale = stale_files(options.folder)
    for name in stale:
        print(f"{options.folder / name} is not current: run `{module} {options.folder}`")  # noqa: T201
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
