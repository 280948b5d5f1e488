"""What would change if servers declared themselves now."""

from cerebro.core.declaration.diff import rehearsal
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.views.rehearsal import RehearsalView
from world.declarations import declared, graph_of, params

A = declared("a", "x  y<-x")
B = declared("b", "report<-y  page<-report  other")


def rehearsed(standing: list[ServerDeclared], *news: ServerDeclared) -> RehearsalView:
    return rehearsal(graph_of(*standing), news)


def changes(view: RehearsalView) -> list[tuple[str, str]]:
    return [(change.change, change.task) for change in view.tasks]


def touched(view: RehearsalView) -> dict[str, tuple[str, str]]:
    """task -> its effect, and the way to what has it."""
    return {each.task: (each.effect, " ".join(each.path)) for each in view.touched}


def test_tasks_that_are_added_removed_and_changed_are_told_with_the_fields_that_change() -> None:
    view = rehearsed([A], declared("a", "y<-x,z  z", y={"retries": 2}))

    assert changes(view) == [("removed", "x"), ("changed", "y"), ("added", "z")]
    assert [(field.what, field.before, field.after) for field in view.tasks[1].fields] == [
        ("upstream", ["x"], ["x", "z"]),
        ("retries", 0, 2),
    ]
    assert [each.outcome for each in view.declarations] == ["accepted"]


def test_edges_that_are_added_and_removed_are_told() -> None:
    view = rehearsed([A], declared("a", "x  y<-z  z"))

    assert [(edge.change, edge.upstream, edge.task) for edge in view.edges] == [
        ("removed", "x", "y"),
        ("added", "z", "y"),
    ]


def test_what_is_declared_as_it_stands_changes_nothing() -> None:
    view = rehearsed([A, B], A)

    assert (view.declarations[0].outcome, view.tasks, view.edges, view.crons, view.touched) == (
        "same",
        [],
        [],
        [],
        [],
    )


def test_a_lower_revision_is_only_a_sign_of_life() -> None:
    view = rehearsed([declared("a", "x", revision=5)], declared("a", "x  y", revision=4))

    assert (view.declarations[0].outcome, view.tasks) == ("older_revision", [])


def test_other_servers_tasks_that_could_not_be_invoked_any_more_are_told_with_the_way_to_what_is_missing() -> (
    None
):
    view = rehearsed([A, B], declared("a", "x"))

    assert touched(view) == {
        "report": ("unresolved", "report y"),
        "page": ("unresolved", "page report y"),
    }
    assert [(missing.upstream, missing.needed_by) for missing in view.missing] == [
        ("y", ["report"])
    ]


def test_other_servers_tasks_that_could_be_invoked_at_last_are_told() -> None:
    assert touched(rehearsed([B], A)) == {
        "report": ("resolved", "report y"),
        "page": ("resolved", "page report y"),
    }


def test_other_servers_tasks_for_which_other_tasks_would_run_are_told() -> None:
    view = rehearsed([A, B], declared("a", "x  y<-x,z  z"))

    assert touched(view) == {
        "report": ("closure", "report y"),
        "page": ("closure", "page report y"),
    }


def test_other_servers_tasks_that_need_what_is_declared_otherwise_are_told() -> None:
    view = rehearsed([A, B], declared("a", "x  y<-x", x=params("day", day="string")))

    assert touched(view) == {
        "report": ("declaration", "report y x"),
        "page": ("declaration", "page report y x"),
    }


def test_what_changes_nothing_for_others_touches_nobody() -> None:
    view = rehearsed(
        [A, B],
        declared("a", "x  y<-x", y={"description": "new", "cron": "0 6 * * *", "owner": "me"}),
    )

    assert changes(view) == [("changed", "y")]
    assert view.touched == []


def test_a_way_through_a_task_that_was_unresolved_before_leads_to_what_is_missing() -> None:
    view = rehearsed(
        [A, declared("b", "report<-y"), declared("c", "stuck<-nobody")],
        declared("a", "x  y<-x,stuck"),
    )

    assert touched(view) == {"report": ("unresolved", "report y stuck nobody")}


def test_crons_that_begin_change_and_end_are_told() -> None:
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


def test_a_cron_of_another_server_that_would_be_refused_from_now_on_is_told_with_its_cron() -> None:
    view = rehearsed(
        [A, declared("b", "report<-y", report={"cron": "0 6 * * *"})], declared("a", "x")
    )

    assert [(each.task, each.effect, each.cron) for each in view.touched] == [
        ("report", "unresolved", "0 6 * * *")
    ]


def test_cron_of_another_server_that_needs_params_is_affected() -> None:
    b = declared("b", "report<-y  page<-report", page={"cron": "0 6 * * *"})
    view = rehearsed([A, b], declared("a", "x  y<-x", x=params("day")))

    assert touched(view) == {
        "page": ("cron_needs_params", "page report y x"),
        "report": ("declaration", "report y x"),
    }


def test_cron_that_needed_params_before_is_not_affected_again() -> None:
    b = declared("b", "report<-y", report={"cron": "0 6 * * *"})
    view = rehearsed(
        [declared("a", "x  y<-x", x=params("day")), b],
        declared("a", "x  y<-x", x=params("day", "hour")),
    )

    assert touched(view) == {"report": ("declaration", "report y x")}


def test_every_problem_of_a_rejected_declaration_is_told_and_what_it_would_change_too() -> None:
    view = rehearsed([A, B], declared("a", "x<-report  y<-x  other  w  w"))

    assert view.declarations[0].outcome == "rejected"
    assert sorted({problem.code for problem in view.problems}) == [
        "cycle",
        "duplicate_task",
        "owned_by_another",
    ]
    assert changes(view) == [("changed", "x"), ("added", "w")]


def test_a_rejected_declaration_leaves_what_the_next_one_is_decided_on() -> None:
    view = rehearsed([A], declared("b", "x"), declared("c", "z<-y"))

    assert [each.outcome for each in view.declarations] == ["rejected", "accepted"]


def test_a_task_moves_when_its_owner_declares_without_it_first() -> None:
    gives, takes = declared("a", "x"), declared("b", "report<-y  page<-report  other  y<-x")

    view = rehearsed([A, B, declared("c", "reader<-y")], gives, takes)

    assert [each.outcome for each in view.declarations] == ["accepted", "accepted"]
    assert [(change.task, [field.what for field in change.fields]) for change in view.tasks] == [
        ("y", ["server"])
    ]
    assert touched(view) == {"reader": ("declaration", "reader y")}


def test_taken_before_it_is_given_a_task_does_not_move() -> None:
    view = rehearsed(
        [A, B], declared("b", "report<-y  page<-report  other  y<-x"), declared("a", "x")
    )

    assert [each.outcome for each in view.declarations] == ["rejected", "accepted"]


def test_a_new_server_adds_all_it_has() -> None:
    view = rehearsed([], A)

    assert changes(view) == [("added", "x"), ("added", "y")]
    assert view.generation == 1
