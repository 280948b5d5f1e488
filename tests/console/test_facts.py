"""Structure, facts and excerpts of runs: they say the same as the view of the whole run."""

import json
from typing import Any

from cerebro.core.fact_readings import fact_reading
from cerebro.core.fact_views import run_facts, run_structure
from cerebro.core.views import run_view
from cerebro.handlers import fact_queries
from cerebro.handlers.query_api import answer
from cordyna_cli.wording.why import why_run
from cordyna_core.contract.query_api import full_json
from cordyna_core.contract.time import utc
from cordyna_core.contract.views.facts import RunFacts, RunStructure, TaskRunFacts
from world.run_readings import reading_of
from world.scenarios import a_run
from world.world import NOON


def test_changed_facts_are_only_those() -> None:
    reading = reading_of(a_run("a  b  c<-a,b", a="completed", b="started"))
    facts = run_facts(fact_reading(*reading), cursor="", changed={1})
    assert facts.columns.task == [1]


def test_joins_are_left_out() -> None:
    wide = "  ".join(f"t{index}" for index in range(130))
    needs = ",".join(f"t{index}" for index in range(130))
    reading = reading_of(a_run(f"{wide}  last<-{needs}"))
    assert any(task.is_join for task in reading[1].plan.tasks)
    structure = run_structure(reading[1].plan)
    assert len(structure.task) == 131
    assert len(structure.upstream[-1]) == 130
    assert structure.level[-1] == 1
    assert why_run(run_facts(fact_reading(*reading), cursor="").excerpt, utc(NOON)) == why_run(
        run_view(*reading), utc(NOON)
    )


def test_queries_answer_with_views_that_survive_json() -> None:
    world = a_run("a  b<-a  c<-b", a="completed", b="error")
    run, _, _ = reading_of(world)
    ports = world.driver.ports
    for query, model in (
        ({"ask": "structure", "run_id": run.id}, RunStructure),
        ({"ask": "facts", "run_id": run.id}, RunFacts),
        ({"ask": "task_run", "run_id": run.id, "task": "b"}, TaskRunFacts),
    ):
        head = json.loads(json.dumps(answer(query, ports).head))
        view = model.model_validate(head)
        assert full_json(view) == head
    assert why_run(RunFacts.model_validate(head_of(run.id, ports)).excerpt, utc(NOON)).sentence
    missing = answer({"ask": "task_run", "run_id": run.id, "task": "x"}, ports).missing
    assert missing is not None
    assert "no task" in missing.what
    assert answer({"ask": "facts", "run_id": "0" * 26}, ports).missing is not None


def head_of(run_id: str, ports: Any) -> dict[str, Any]:
    return answer({"ask": "facts", "run_id": run_id}, ports).head


def test_task_run_reads_its_output_that_is_stored_apart() -> None:
    world = a_run("a")
    large = {"text": "x" * 5_000}
    world.report("a", "completed", output=large)
    run, _, facts = reading_of(world)
    assert facts[0].output == large
    found = fact_queries.task_run(world.driver.store, run.id, "a")
    assert found.excerpt.tasks[0].output == large
