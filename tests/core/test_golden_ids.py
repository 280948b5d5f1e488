"""Golden ids: an upgrade renames no plan, no task and no declaration.

The ids were recorded before contract 2. A field that is added later takes part only where it is
used, so runs in flight, cached plans and reusable results outlive an upgrade.
"""

from typing import Final

from cerebro.adapters.codecs import decode_plan, encode_plan
from cerebro.core.graph.graph import Graph
from cerebro.core.graph.versions import version_of
from cerebro.core.model.plan import ADDED_FIELDS, CachedResult, Plan, PlannedTask
from world.declarations import a_graph, declared, graph_of, params, planned

PLANNED: Final = "x  y<-x"


def a_full_graph() -> Graph:
    """Every field of contract 1 that reaches a plan."""
    first = declared(
        "a",
        PLANNED,
        x={
            "retries": 3,
            "ack_timeout_s": 5,
            "owner": "team-a",
            **params("day", day="string"),
        },
        y={"start_timeout_s": 60, "run_timeout_s": 90},
    )
    return graph_of(first, declared("b", "z<-y"))


def test_plan_id_without_added_fields_is_as_recorded() -> None:
    roots = [f"u{number}" for number in range(101)]
    wide = a_graph(f"{' '.join(roots)} w<-{','.join(roots)}")
    reuses = CachedResult("R" * 26, 0, 1.5, {"n": 1}, None, "f")
    reusing = Plan(
        (
            PlannedTask(name="x", server="a", version="v", kept=True, reuses=reuses),
            PlannedTask(name="y", server="a", upstream=(0,), awaits=(0,)),
        )
    )

    assert [
        planned(a_graph(PLANNED), "y").id,
        planned(a_full_graph(), "z").id,
        planned(wide, "w").id,
        reusing.id,
    ] == [
        "51HJXF6K7KKAQRCVGQN9W12EMX",
        "GYHDXRZ0MQNS1FPSPJT2T7E48E",
        "CY6VVS7SJ52QXYKVR4D7DPRPJT",
        "HAEFCNT3P6ZTKXY6NDDP5ZXCQQ",
    ]


def test_task_versions_of_contract_1_are_as_recorded() -> None:
    graph = a_full_graph()

    assert {name: graph.version_of_task(name) for name in graph} == {
        "x": "FY8DBS1NA3PV6QD682Z9B5BKJ0",
        "y": "3KK93AZBJXQ8X3A8NZ9PT763RF",
        "z": "WSTBG45DRR2TXZ6TARZ6P8K653",
    }


def test_declaration_versions_of_contract_1_are_as_recorded() -> None:
    declarations = a_full_graph().declarations

    assert [version_of(declarations[server]) for server in ("a", "b")] == [
        "11CW1E6JG85TZ8007KD8TGXVB8",
        "4SM660DCYWSKD8DQK5JQ7WMR2J",
    ]


def test_plan_is_encoded_without_columns_of_unused_fields() -> None:
    plan = planned(a_full_graph(), "z")

    assert decode_plan(encode_plan(plan)) == plan
    assert all(
        getattr(task, name) == ADDED_FIELDS[name] for task in plan.tasks for name in ADDED_FIELDS
    )


def test_who_may_use_a_task_is_no_part_of_its_version() -> None:
    open_task = a_graph("x").version_of_task("x")
    closed = {"consumers": [], "invokers": ["b"], "deprecated": "use y", "until": "2027-03-01"}

    assert a_graph("x", x=closed).version_of_task("x") == open_task
