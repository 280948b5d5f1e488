"""What would change if servers declared themselves now."""

from cerebro.core.declaration.diff import rehearsal
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.views.rehearsal import RehearsalView
from world.declarations import declared, graph_of, params

A = declared("a", "x  y<-x")
B = declared("b", "report<-y  page<-report  other")


def rehearsed(accepted: list[ServerDeclared], *news: ServerDeclared) -> RehearsalView:
    return rehearsal(graph_of(*accepted), news)


def changes(view: RehearsalView) -> list[tuple[str, str]]:
    return [(change.change, change.task) for change in view.tasks]


def touched(view: RehearsalView) -> dict[str, tuple[str, str]]:
    """task -> its effect, and the way to what has it."""
    return {item.task: (item.effect, " ".join(item.path)) for item in view.touched}


def test_rehearse_lists_added_removed_and_changed_tasks() -> None:
    view = rehearsed([A], declared("a", "y<-x,z  z", y={"retries": 2}))

    assert changes(view) == [("removed", "x"), ("changed", "y"), ("added", "z")]
    assert [(field.what, field.before, field.after) for field in view.tasks[1].fields] == [
        ("upstream", ["x"], ["x", "z"]),
        ("retries", 0, 2),
    ]
    assert [item.outcome for item in view.declarations] == ["accepted"]


def test_rehearse_lists_added_and_removed_edges() -> None:
    view = rehearsed([A], declared("a", "x  y<-z  z"))

    assert [(edge.change, edge.upstream, edge.task) for edge in view.edges] == [
        ("removed", "x", "y"),
        ("added", "z", "y"),
    ]


def test_rehearse_same_declaration_changes_nothing() -> None:
    view = rehearsed([A, B], A)

    assert (view.declarations[0].outcome, view.tasks, view.edges, view.crons, view.touched) == (
        "same",
        [],
        [],
        [],
        [],
    )


def test_rehearse_lower_revision_changes_nothing() -> None:
    view = rehearsed([declared("a", "x", revision=5)], declared("a", "x  y", revision=4))

    assert (view.declarations[0].outcome, view.tasks) == ("older_revision", [])


def test_rehearse_without_a_revision_is_as_its_deployment() -> None:
    """The server in a file has none; what its last deployment declared has."""
    deployed = declared("a", "x", revision=1_800_000_000)

    view = rehearsed([deployed], declared("a", "x  y"))
    assert (view.declarations[0].outcome, [change.task for change in view.tasks]) == (
        "accepted",
        ["y"],
    )
    assert rehearsed([deployed], declared("a", "x")).declarations[0].outcome == "same"


def test_rehearse_tasks_made_unresolved_have_a_path() -> None:
    view = rehearsed([A, B], declared("a", "x"))

    assert touched(view) == {
        "report": ("unresolved", "report y"),
        "page": ("unresolved", "page report y"),
    }
    assert [(missing.upstream, missing.needed_by) for missing in view.missing] == [
        ("y", ["report"])
    ]


def test_rehearse_tasks_made_resolved_are_listed() -> None:
    assert touched(rehearsed([B], A)) == {
        "report": ("resolved", "report y"),
        "page": ("resolved", "page report y"),
    }


def test_rehearse_tasks_with_changed_closure_are_listed() -> None:
    view = rehearsed([A, B], declared("a", "x  y<-x,z  z"))

    assert touched(view) == {
        "report": ("closure", "report y"),
        "page": ("closure", "page report y"),
    }


def test_rehearse_tasks_above_changed_ones_are_listed() -> None:
    view = rehearsed([A, B], declared("a", "x  y<-x", x=params("day", day="string")))

    assert touched(view) == {
        "report": ("declaration", "report y x"),
        "page": ("declaration", "page report y x"),
    }


def test_rehearse_harmless_change_affects_no_other() -> None:
    view = rehearsed(
        [A, B],
        declared("a", "x  y<-x", y={"description": "new", "cron": "0 6 * * *", "owner": "me"}),
    )

    assert changes(view) == [("changed", "y")]
    assert view.touched == []


def test_rehearse_path_leads_to_the_missing_task() -> None:
    view = rehearsed(
        [A, declared("b", "report<-y"), declared("c", "stuck<-missing")],
        declared("a", "x  y<-x,stuck"),
    )

    assert touched(view) == {"report": ("unresolved", "report y stuck missing")}


def test_rehearse_lists_changed_crons() -> None:
    before = declared("a", "x  y  z", x={"cron": "0 6 * * *"}, y={"cron": "0 7 * * *"})
    after = declared(
        "a",
        "x  y  z",
        x={"cron": "0 6 * * *", "timezone": "Europe/Berlin"},
        z={"cron": "0 8 * * *", "overlap": "allow"},
    )

    assert [(cron.task, cron.before, cron.after) for cron in rehearsed([before], after).crons] == [
        ("x", "0 6 * * *", "0 6 * * * Europe/Berlin"),
        ("y", "0 7 * * *", None),
        ("z", None, "0 8 * * * (overlap allow)"),
    ]


def test_rehearse_unresolved_task_shows_its_cron() -> None:
    view = rehearsed(
        [A, declared("b", "report<-y", report={"cron": "0 6 * * *"})], declared("a", "x")
    )

    assert [(item.task, item.effect, item.cron) for item in view.touched] == [
        ("report", "unresolved", "0 6 * * *")
    ]


def test_rehearse_cron_that_will_need_params_is_affected() -> None:
    b = declared("b", "report<-y  page<-report", page={"cron": "0 6 * * *"})
    view = rehearsed([A, b], declared("a", "x  y<-x", x=params("day")))

    assert touched(view) == {
        "page": ("cron_needs_params", "page report y x"),
        "report": ("declaration", "report y x"),
    }


def test_rehearse_cron_that_needed_params_is_unaffected() -> None:
    b = declared("b", "report<-y", report={"cron": "0 6 * * *"})
    view = rehearsed(
        [declared("a", "x  y<-x", x=params("day")), b],
        declared("a", "x  y<-x", x=params("day", "hour")),
    )

    assert touched(view) == {"report": ("declaration", "report y x")}


def test_rehearse_rejected_lists_problems_and_changes() -> None:
    view = rehearsed([A, B], declared("a", "x<-report  y<-x  other  w  w"))

    assert view.declarations[0].outcome == "rejected"
    assert sorted({problem.code for problem in view.problems}) == [
        "cycle",
        "duplicate_task",
        "owned_by_another",
    ]
    assert changes(view) == [("changed", "x"), ("added", "w")]


def test_rehearse_rejected_does_not_change_the_next() -> None:
    view = rehearsed([A], declared("b", "x"), declared("c", "z<-y"))

    assert [item.outcome for item in view.declarations] == ["rejected", "accepted"]


def test_rehearse_task_given_up_first_moves() -> None:
    gives, takes = declared("a", "x"), declared("b", "report<-y  page<-report  other  y<-x")

    view = rehearsed([A, B, declared("c", "reader<-y")], gives, takes)

    assert [item.outcome for item in view.declarations] == ["accepted", "accepted"]
    assert [(change.task, [field.what for field in change.fields]) for change in view.tasks] == [
        ("y", ["server"])
    ]
    assert touched(view) == {"reader": ("declaration", "reader y")}


def test_rehearse_task_taken_first_does_not_move() -> None:
    view = rehearsed(
        [A, B], declared("b", "report<-y  page<-report  other  y<-x"), declared("a", "x")
    )

    assert [item.outcome for item in view.declarations] == ["rejected", "accepted"]


def test_rehearse_new_server_adds_its_tasks() -> None:
    view = rehearsed([], A)

    assert changes(view) == [("added", "x"), ("added", "y")]
    assert view.generation == 1
