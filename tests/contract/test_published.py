"""The published contract: files that are generated from the models and tables."""

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from contract.golden_messages import NAMES, golden
from cordyna_core.contract.published import main, schema_files, schemas
from cordyna_core.contract.registry import MESSAGES
from cordyna_core.contract.views.graph import PlannedTaskView, PlanView
from cordyna_core.contract.views.runs import RunView, TaskView

PUBLISHED = Path(__file__).parents[2] / "docs" / "contract"
SCHEMAS = schemas()
REGISTRY: Registry[Any] = Registry().with_resources(
    [(f"{name}.json", Resource.from_contents(s)) for name, s in SCHEMAS.items()]
)


def faults(name: str, instance: Any) -> list[str]:
    checks = Draft202012Validator(
        SCHEMAS[name], registry=REGISTRY, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    return [error.message for error in checks.iter_errors(instance)]


def test_published_files_are_current() -> None:
    assert main(["--check", str(PUBLISHED)]) == 0


def test_published_readme_lists_every_schema() -> None:
    index = (PUBLISHED / "README.md").read_text()

    assert set(SCHEMAS) == {*MESSAGES, "envelope", "RunView", "PlanView"}
    assert [name for name in schema_files() if f"({name})" not in index] == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_published_schema_is_valid(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize("name", NAMES)
def test_published_schema_accepts_golden_messages(name: str) -> None:
    assert faults(name, golden(name)["detail"]) == []
    assert faults("envelope", golden(name)) == []


def test_published_envelope_refuses_other_detail() -> None:
    assert faults("envelope", golden("RunTask") | {"detail-type": "RunStateChanged"}) != []
    assert faults("envelope", golden("RunTask") | {"detail-type": "StartJob"}) != []


def test_published_declaration_schema_is_strict() -> None:
    assert faults("ServerDeclared", {"server": "a", "novelty": 1}) != []
    assert faults("InvokeTask", {"task": "a", "novelty": 1}) == []


def test_published_schema_accepts_minimal_invocation() -> None:
    assert faults("InvokeTask", {"task": "task-3"}) == []


def test_published_views_hide_excluded_fields() -> None:
    run = RunView(
        run_id="r",
        task="t",
        state="running",
        tasks=[TaskView(task="t", server="s", state="pending", why="because")],
    )
    plan = PlanView(task="t", tasks=[PlannedTaskView(task="t", server="s", upstream=[], level=0)])

    assert faults("RunView", run.model_dump(mode="json")) == []
    assert faults("PlanView", plan.model_dump(mode="json")) == []
    assert set(SCHEMAS["RunView"]["properties"]) == set(run.model_dump())
    assert set(SCHEMAS["RunView"]["$defs"]["TaskView"]["properties"]) == set(
        run.tasks[0].model_dump()
    )


def test_published_stale_files_are_named_and_rewritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "contract"
    assert main([str(folder)]) == 0
    assert {path.name for path in folder.iterdir()} == set(schema_files())

    (folder / "RunTask.json").write_text("{}")
    (folder / "CancelRun.json").unlink()
    (folder / "StartJob.json").write_text("{}")
    assert main(["--check", str(folder)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" is not current")[0] for line in lines] == [
        str(folder / name) for name in ("CancelRun.json", "RunTask.json", "StartJob.json")
    ]

    assert main([str(folder)]) == 0
    assert main(["--check", str(folder)]) == 0
