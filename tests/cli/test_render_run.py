"""How a run looks: its tree, its timeline, its ending; at a fixed width, at a fixed moment."""

from datetime import timedelta

import pytest
from rich.cells import cell_len
from rich.text import Text

from cli.run_builders import RUN, a_run, a_task, at, chain_run, completed_run, failed_run, wide_run
from cordyna_cli.render.run.outcome import outcome_lines, whole_run
from cordyna_cli.render.run.progress import attention_list, live_picture, progress_line
from cordyna_cli.render.run.timeline import timeline_chart
from cordyna_cli.render.run.tree import tree
from cordyna_cli.wording.format import error_line
from cordyna_cli.wording.phases import attempt_duration
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.views.runs import RunView

NOW = at(10)


def plain(lines: list[Text]) -> list[str]:
    return [line.plain for line in lines]


def picture(text: str) -> list[str]:
    return text.strip("\n").split("\n")


def test_tree_has_target_on_top_and_a_line_for_each_task() -> None:
    assert plain(tree(failed_run(), NOW)) == picture(
        """
⊘ report            server-b  blocked              by clean
├─ ⊘ load           server-b  blocked              by clean
│  └─ ✗ clean       server-a  error failed  0.8 s  attempt 2; ValueError: bad row 7
│     └─ ✓ extract  server-a  completed     0.8 s
└─ extract (see above)
"""
    )


def test_tree_shows_sign_and_words_of_each_reason() -> None:
    view = a_run(
        a_task("reused", "", "completed:reused@0"),
        a_task("queued", "", "dispatched@0 queued@1", deadline=at(601)),
        a_task("dispatched", "", "dispatched@8", deadline=at(18)),
        a_task("started", "", "dispatched@0 started@1 retry_wait@3 dispatched/2@4 started/2@6"),
        a_task("retrying", "", "dispatched@0 started@1 retry_wait@3", deadline=at(14)),
        a_task("deaf", "", "dispatched@0 error:ack_timeout@10"),
        a_task("busy", "", "dispatched@0 queued@1 error:start_timeout@9"),
        a_task("slow", "", "dispatched@0 started@0 error:run_timeout/3@9"),
        a_task("cancelled", "", "dispatched@0 error:cancelled@9"),
        a_task("all", "reused queued dispatched started retrying deaf busy slow cancelled"),
    )

    assert plain(tree(view, NOW)) == picture(
        """
· all            server-a  waiting                      for queued, dispatched and 6 more
├─ ≡ reused      server-a  reused                       a fresh enough result
├─ ◔ queued      server-a  queued               10.0 s  the server is busy, 9 m 51 s left
├─ → dispatched  server-a  dispatched            2.0 s  no answer yet, 8.0 s left
├─ ● started     server-a  started               4.0 s  attempt 2
├─ ↻ retrying    server-a  retry wait                   attempt 2 in 4.0 s; ValueError: bad row 7
├─ ✗ deaf        server-a  error ack_timeout    10.0 s  not acknowledged in time
├─ ✗ busy        server-a  error start_timeout   9.0 s  queued, but not started in time
├─ ✗ slow        server-a  error run_timeout      0 ms  started, but not finished in time \
(attempt 3)
└─ ⊗ cancelled   server-a  cancelled             9.0 s
"""
    )


@pytest.mark.parametrize("width", [40, 60, 80])
@pytest.mark.parametrize(
    "view", [failed_run(), wide_run(), chain_run()], ids=["failed", "wide", "chain"]
)
def test_renderings_fit_the_terminal(view: RunView, width: int) -> None:
    for lines in (
        tree(view, NOW, width),
        tree(view, NOW, width, whole=False),
        live_picture(view, NOW, width, 24),
    ):
        assert max(cell_len(line.plain) for line in lines) <= width
    assert max(cell_len(line.plain) for line in timeline_chart(view, NOW, max(width, 60))) <= max(
        width, 60
    )


def test_renderings_without_width_are_not_cut() -> None:
    name, error = "a" * 120, "z" * 300
    view = a_run(
        a_task(
            name,
            "",
            "dispatched@0 error:failed@1",
            server="b" * 100,
            error={"type": "E", "message": error},
        ),
        state="error",
    )

    text = "\n".join(
        plain(whole_run(view, NOW, None, everything=False)) + plain(timeline_chart(view, NOW))
    )

    assert "…" not in text
    assert error in text


def test_wide_tree_is_folded_to_its_live_tasks() -> None:
    assert plain(tree(wide_run(), at(5), 100, whole=False)) == picture(
        """
· sink         server-b  waiting         for part-001, part-002 and 177 more
├─ ● part-001  server-b  started  3.0 s
├─ ● part-006  server-a  started  3.0 s
├─ ● part-011  server-c  started  3.0 s
├─ ● part-016  server-b  started  3.0 s
├─ ● part-021  server-a  started  3.0 s
├─ ● part-026  server-c  started  3.0 s
├─ ● part-031  server-b  started  3.0 s
├─ ● part-036  server-a  started  3.0 s
└─ … 291 tasks: 120 completed, 60 queued, 59 dispatched, 52 started
"""
    )


def test_chain_is_folded_above_and_below_its_live_task() -> None:
    assert plain(tree(chain_run(), at(152), 100, whole=False)) == picture(
        """
· link-299        server-a  waiting         for link-298
└─ … 148 tasks waiting
   └─ ● link-150  server-a  started  2.0 s
      └─ … 150 tasks completed
"""
    )


def test_single_quiet_task_is_shown_not_counted() -> None:
    parts = [
        a_task(
            f"p{n}",
            "",
            "dispatched@0 started@1" if n % 10 else "dispatched@0 started@1 completed@2",
        )
        for n in range(42)
    ]
    view = a_run(
        *parts[1:8],
        parts[0],
        *parts[40:0:-33],
        *(a_task(f"q{n}", f"q{n + 1}", "dispatched@0") for n in range(35)),
        a_task("end", "p1 p0 q0"),
    )

    lines = plain(tree(view, at(5), 100, whole=False))

    assert [line.split()[:3] for line in lines[1:3]] == [["├─", "●", "p1"], ["├─", "✓", "p0"]]


def test_whole_tree_has_a_line_for_each_task() -> None:
    assert len(tree(chain_run(), NOW)) == 300
    assert sum("see above" not in line for line in plain(tree(wide_run(), NOW))) == 300


def test_live_picture_fits_the_screen() -> None:
    busy = a_run(
        *(
            a_task(f"t{n}", f"t{n // 2}" if n > 1 else "", "dispatched@0 started@1")
            for n in range(500)
        ),
        a_task("end", "t499"),
    )
    for view in (failed_run(), wide_run(), chain_run(), busy):
        assert len(live_picture(view, NOW, 100, 20)) <= 20


def test_attention_list_has_failed_tasks_first() -> None:
    view = a_run(
        *wide_run().tasks[:-1],
        a_task("bad", "", "dispatched@0 error:failed@1"),
        a_task("end"),
        state="failing",
    )

    lines = plain(attention_list(view, at(5), 100, 4))

    assert [line.split()[1] for line in lines[:3]] == ["bad", "part-001", "part-006"]
    assert lines[3] == "… and 60 queued, 59 dispatched, 58 started more"


def test_live_picture_turns_the_sign_of_running_tasks() -> None:
    view = a_run(a_task("task-3", "", "dispatched@0 started@1"))

    assert {live_picture(view, at(n / 10), 80, 24)[1].plain[0] for n in range(3)} == {"⠋", "⠙", "⠹"}


def test_progress_line_shows_counts_and_time() -> None:
    assert (
        progress_line(wide_run(), at(5)).plain == "● sink running  ━━━━━━──────────  120/300"
        " · 60 started · 59 dispatched · 60 queued · 1 waiting · 5.0 s"
    )


def test_tree_shows_tasks_apart_from_the_target() -> None:
    view = a_run(a_task("alone", "", "dispatched@0"), a_task("task-3"))

    assert [line.split()[1] for line in plain(tree(view, NOW))] == ["task-3", "alone"]


def test_timeline_shows_each_phase() -> None:
    assert plain(timeline_chart(completed_run(), NOW, 96)) == picture(
        """
task    server    |0           |1 s         |2 s         |3 s         |4 s
task-1  server-a  ░▒▒▒▒▒███████████████████████████                                   ✓ 2.0 s
task-2  server-a  ░░███████████████████████████████████████████████████               ✓ 3.8 s
task-3  server-b  ····················································░░░░██████████  ✓ 0.7 s

·· waiting for upstream   ~~ waiting for a retry   ░░ dispatched   ▒▒ queued   ██ running
"""
    )


def test_timeline_of_failed_run_shows_both_attempts() -> None:
    assert plain(timeline_chart(failed_run(), NOW))[1:5] == picture(
        """
extract  server-a  ░░██████████                                                  ✓ 0.8 s
clean    server-a  ············░███████████~~~~~~~~~~~~~~~~~~~~~~~~░░██████████  ✗ 0.8 s
load     server-b  ····························································  ⊘
report   server-b  ····························································  ⊘
"""
    )


def test_timeline_cuts_names_before_bars() -> None:
    lines = plain(timeline_chart(wide_run(), at(5), 60))

    assert all(any(sign in line for sign in "█░·") for line in lines[1:301])
    assert lines[301] == ""


@pytest.mark.parametrize(
    ("seconds", "axis"),
    [
        (0.05, ["|0 ms", "|10 ms", "|20 ms", "|30 ms", "|40 ms"]),
        (2, ["|0.0 s", "|0.5 s", "|1.0 s", "|1.5 s"]),
        (90, ["|0", "|20 s", "|40 s", "|1 m", "|1 m 20"]),
        (7200, ["|0", "|30 m", "|1 h 00", "|1 h 30"]),
        (10 * 86400, ["|0", "|48 h 00", "|96 h 00", "|144 h 00", "|192 h 00"]),
    ],
)
def test_timeline_axis_has_round_steps(seconds: float, axis: list[str]) -> None:
    view = a_run(
        a_task("task-3", "", f"dispatched@0 started@0 completed@{seconds}"), state="completed"
    )

    title = plain(timeline_chart(view, NOW))[0]

    assert [f"|{part.strip()}" for part in title.split("|")[1:]] == axis


def test_timeline_of_run_without_entries_says_so() -> None:
    assert plain(timeline_chart(a_run(a_task("task-3"), created_at=None), NOW)) == [
        "this run has no events yet"
    ]


def test_timeline_of_live_run_is_drawn_until_now() -> None:
    view = a_run(a_task("task-3", "", "dispatched@0 started@5"))

    assert (
        plain(timeline_chart(view, NOW))[1]
        == "task-3  server-a  " + "░" * 30 + "█" * 30 + "  ● 5.0 s"
    )


def test_outcome_of_failed_run_has_cause_owner_and_next() -> None:
    assert plain(outcome_lines(failed_run(), NOW, 100)) == picture(
        f"""
✗ report ended in error in 5.0 s  run {RUN}
  clean on server-a: failed, attempt 2; ValueError: bad row 7  owner team-a
  blocked by that: load and report
  next: dyna logs {RUN} clean   what it printed
        dyna retry {RUN}        once it is fixed; what completed is kept
"""
    )


def test_attempt_healed_after_timeout_lasts_to_its_end() -> None:
    assert (
        attempt_duration(a_task("clean", "", "started@0 error:run_timeout@4 completed@12"), NOW)
        == 12
    )


def test_error_without_message_is_its_type() -> None:
    assert error_line(ErrorDescription(type="KeyboardInterrupt")) == "KeyboardInterrupt"
    assert (
        error_line(ErrorDescription(type="ValueError", message="bad\nrow: "))
        == "ValueError: bad row"
    )


def test_outcome_with_many_causes_counts_the_rest() -> None:
    view = a_run(
        *(a_task(f"t{n}", "", "dispatched@0 error:failed@1") for n in range(11)),
        a_task("task-3"),
        state="error",
    )

    assert "  and 3 more tasks failed" in plain(outcome_lines(view, NOW, 100))


def test_cancelled_run_says_so() -> None:
    view = a_run(
        a_task("task-3", "", "dispatched@0 error:cancelled@2"), state="error", cancelled=True
    )

    assert plain(outcome_lines(view, NOW, 100)) == [
        f"⊗ task-3 was cancelled in 2.0 s  run {RUN}",
        "  next: dyna do task-3",
    ]


def test_large_output_is_cut_on_a_terminal_only() -> None:
    view = a_run(
        a_task(
            "task-3",
            "",
            "dispatched@0 completed@1",
            output={f"key-{n}": "x" * 60 for n in range(30)},
        ),
        state="completed",
    )

    assert plain(outcome_lines(view, NOW, 80))[-1] == f"  … 21 more lines: dyna show {RUN} --json"
    assert len(outcome_lines(view, NOW, None)) == 2
    small = view.tasks[0].model_copy(update={"output": ["x" * 60, "y" * 60]})
    assert len(outcome_lines(view.model_copy(update={"tasks": [small]}), NOW, 80)) == 5


def test_large_ended_run_shows_its_attention_list() -> None:
    names = [f"t{n}" for n in range(1, 400)]
    tasks = [
        a_task(
            name,
            " ".join(f"t{m}" for m in (2 * n, 2 * n + 1) if m < 400),
            "dispatched@0 error:failed@1",
        )
        for n, name in enumerate(names, 1)
    ]
    view = a_run(*reversed(tasks), state="error")

    lines = plain(whole_run(view, NOW, 100, everything=False))

    assert f"  every task: dyna show {RUN} --all" in lines
    assert len(lines) < 90
    assert len(whole_run(view, NOW, 100, everything=True)) > 400


def test_foreign_text_cannot_move_the_cursor() -> None:
    error = {"type": "E", "message": "one\r\ntwo\x1b[2J\x1b]0;title\x07 three\x9b1m"}
    view = a_run(a_task("task-3", "", "dispatched@0 error:failed@1", error=error), state="error")

    text = "\n".join(plain(whole_run(view, NOW, 100, everything=False)))

    assert "E: one two three1m" in text
    assert "\x1b" not in text


def test_durations_use_readable_units() -> None:
    def after(seconds: float) -> str:
        return progress_line(a_run(a_task("t")), at(0) + timedelta(seconds=seconds)).plain.rsplit(
            "· ", 1
        )[1]

    assert [after(s) for s in (0.05, 0.5, 59.97, 3599, 7500, 90000)] == [
        "50 ms",
        "0.5 s",
        "1 m 00 s",
        "59 m 59 s",
        "2 h 05 m",
        "1 d 01 h",
    ]
