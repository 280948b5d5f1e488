"""dyna replay: where a run would go differently now."""

from cli.fake_engine import FakeEngine
from cli.run_builders import RUN, at, completed_run
from cli.run_dyna import dyna
from cordyna_core.contract.views.rehearsal import Difference
from cordyna_core.contract.views.replay import Divergence, ReplayView

SAME = ReplayView(run_id=RUN, task="task-3", heard=7, decided=5)
OTHER = SAME.model_copy(
    update={
        "divergences": [
            Divergence(how="missing", what="RunTask", task="task-1", attempt=2, at=at(1)),
            Divergence(how="new", what="RunStateChanged failing", at=at(2)),
            Divergence(
                how="otherwise",
                what="RunTask",
                task="task-3",
                attempt=1,
                at=at(3),
                differences=[Difference(what="params", after={"day": "x" * 99})],
            ),
            Divergence(
                how="end",
                what="final state of the task",
                task="task-2",
                differences=[Difference(what="state", before="queued", after="pending")],
            ),
        ]
    }
)


def test_replay_without_divergence_is_one_line() -> None:
    result = dyna("replay", engine=FakeEngine(views=[completed_run()], replayed=SAME))

    assert (result.status, result.out) == (
        0,
        f"✓ task-3 goes the same way: 7 events read again, 5 decisions recorded  run {RUN}\n",
    )


def test_replay_with_divergence_lists_them_and_exits_with_1() -> None:
    result = dyna("replay", RUN, engine=FakeEngine(views=[completed_run()], replayed=OTHER))

    assert result.status == 1
    assert result.out.splitlines() == [
        f"✗ task-3 would go differently: 7 events read again, 5 decisions recorded  run {RUN}",
        "",
        "   when          what                     task      now",
        "-  03:04:06.000  RunTask                  task-1/2  would not be decided any more",
        "+  03:04:07.000  RunStateChanged failing            would be decided, and was not",
        "~  03:04:08.000  RunTask                  task-3/1  "
        'would be decided otherwise: params nothing -> {"day": "' + "x" * 51 + "...",
        (
            "~  at the end    final state of the task  task-2    "
            "would end otherwise: state queued -> pending"
        ),
        "",
        "4 divergences; what comes after the first may follow from it",
    ]


def test_replay_json_is_one_object() -> None:
    result = dyna("replay", "--json", engine=FakeEngine(views=[completed_run()], replayed=OTHER))

    assert result.status == 1
    assert ReplayView.model_validate(result.json) == OTHER
    assert result.json["divergences"][0]["at"] == "2026-01-02T03:04:06.000000Z"
    assert result.json["divergences"][-1]["at"] is None


def test_replay_of_unknown_run_exits_with_3() -> None:
    engine = FakeEngine()

    assert dyna("replay", RUN, engine=engine).status == 3
    assert engine.options is not None
    assert not engine.options.declares
