"""Schemas: the contract as JSON Schema, for whoever writes a task server in another language.

Law: the models are the one source. `python -m cordyna_core.contract.json_schemas docs/contract` writes the schemas; with
`--check` it only says, by its exit code 1, that those there are not what the models say.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cordyna_core.contract.envelope import RawEnvelope
from cordyna_core.contract.registry import MESSAGES
from cordyna_core.contract.untitled import TitlelessJsonSchema
from cordyna_core.contract.views.runs import PlanView, RunView

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_VIEWS: Final = {view.__name__: view for view in (RunView, PlanView)}
ENVELOPE: Final = "envelope"


def schemas() -> dict[str, dict[str, Any]]:
    """Every published schema by its name: one per message, the envelope, and the views that are a published format."""
    # A view is read by others and never by us: its schema is that of what is written, without what is left out of it.
    views = {
        name: view.model_json_schema(mode="serialization", schema_generator=TitlelessJsonSchema)
        for name, view in _VIEWS.items()
    }
    messages = {
        name: kind.model_json_schema(schema_generator=TitlelessJsonSchema)
        for name, kind in MESSAGES.items()
    }
    return {
        name: _headed(name, schema)
        for name, schema in (messages | views | {ENVELOPE: _envelope()}).items()
    }


def _envelope() -> dict[str, Any]:
    """Any event of the contract: what its detail is follows from its detail-type."""
    schema = RawEnvelope.model_json_schema(schema_generator=TitlelessJsonSchema)
    schema["description"] = (
        "An event of the contract as EventBridge delivers it; `detail` is of the type that `detail-type` names."
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


def _headed(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"$schema": _DIALECT, "$id": f"{name}.json", **schema}


def texts() -> dict[str, str]:
    """The files of the published contract: name -> text, the same for the same models."""
    return {
        f"{name}.json": json.dumps(schema, indent=2, sort_keys=True) + "\n"
        for name, schema in sorted(schemas().items())
    }


def stale_files(folder: Path) -> list[str]:
    """The schema files in `folder` that are missing, say something else than the models, or are of no model."""
    there = {path.name: path.read_text() for path in folder.glob("*.json")}
    wanted = texts()
    return sorted(
        name for name in there.keys() | wanted.keys() if there.get(name) != wanted.get(name)
    )


def write(folder: Path) -> None:
    """Write every schema, and remove what is of no model any more."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in stale_files(folder):
        path, text = folder / name, texts().get(name)
        path.unlink() if text is None else path.write_text(text)


def main(arguments: list[str] | None = None) -> int:
    """0 when the schemas are (now) current, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m cordyna_core.contract.json_schemas",
        description="Write the contract's JSON Schemas.",
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--check", action="store_true", help="write nothing, only say what is not current"
    )
    given = parser.parse_args(arguments)
    if not given.check:
        write(given.folder)
    stale = stale_files(given.folder)
    for name in stale:
        print(
            f"{given.folder / name} is not current: run `python -m cordyna_core.contract.json_schemas {given.folder}`"
        )
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
