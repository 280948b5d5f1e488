"""The checker of the kill loop (`make worker-e2e`) finds what it is for."""

import pytest

from world.kill_check import (
    Completion,
    KillHistory,
    RunEnd,
    left_on_purpose,
    parse_effects,
    violations,
)

DONE = RunEnd("completed", is_cancelled=False)
FAILED = RunEnd("error", is_cancelled=False)
CANCELLED = RunEnd("error", is_cancelled=True)


def effects(*lines: str) -> KillHistory:
    """What bodies noted, of attempts that completed at 10 s."""
    noted = tuple(parse_effects("\n".join(lines)))
    return KillHistory(effects=noted, completions=(Completion(10.0, "R", "a", 1),))


@pytest.mark.parametrize(
    ("history", "found"),
    [
        (KillHistory(runs={"R": DONE}), []),
        (KillHistory(runs={"R": FAILED}), ["run R ended as error"]),
        (KillHistory(runs={"R": CANCELLED}, cancelled={"R": 1.0}), []),
        (
            KillHistory(runs={"R": DONE}, cancelled={"R": 1.0}),
            ["run R was cancelled and is completed"],
        ),
        (KillHistory(dead_letters=("it failed",)), ["dead letter: it failed"]),
        (KillHistory(processes=frozenset({7})), ["processes are left: [7]"]),
        (
            KillHistory(completions=(Completion(1.0, "R", "a", 1), Completion(2.0, "R", "a", 3))),
            ["a of R completed in attempts [1, 3]"],
        ),
        (KillHistory(completions=(Completion(1.0, "R", "a", 1), Completion(2.0, "R", "a", 1))), []),
        (effects("9.0 begin R a 1 70", "9.5 end R a 1 70"), []),
        (effects("12.5 begin R a 2 70"), ["a of R began 2.50 s after it completed"]),
        (effects("12.5 begin R b 1 70"), []),
    ],
)
def test_kill_check_finds_each_violation(history: KillHistory, found: list[str]) -> None:
    assert violations(history) == found


def test_kill_check_body_begun_after_a_cancel_is_found() -> None:
    noted = tuple(parse_effects("4.0 begin R a 1 70"))

    history = KillHistory(effects=noted, cancelled={"R": 1.0}, runs={"R": CANCELLED})

    assert violations(history) == ["a of R began 3.00 s after its cancel"]


def test_kill_check_process_of_completed_attempt_may_stay() -> None:
    kept = effects("9.0 left R a 1 71")
    died = effects("9.0 left R a 2 71")

    assert left_on_purpose(kept) == {71}
    assert left_on_purpose(died) == set()
