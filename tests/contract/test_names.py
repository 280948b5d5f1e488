"""Names, sources and ids."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.ids import (
    NAME_PATTERN,
    RUN_ID_PATTERN,
    content_id,
    derived_id,
    is_client,
    run_id_of,
    server_of,
    server_source,
)

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", fullmatch=True)
PARTS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\x1f")) | st.integers(),
    min_size=1,
    max_size=4,
)


@given(NAMES)
def test_name_of_the_grammar_is_unchanged(name: str) -> None:
    assert InvokeTask(task=name).task == name


@given(st.text(max_size=140))
def test_name_is_accepted_iff_of_the_grammar(text: str) -> None:
    of_the_grammar = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", text) is not None
    try:
        InvokeTask(task=text)
    except ValidationError:
        assert not of_the_grammar
    else:
        assert of_the_grammar


@pytest.mark.parametrize("name", ["task-3", "team.task", "T", "0", "a" * 128, "Task_3.v2-b"])
def test_name_valid_is_accepted(name: str) -> None:
    assert re.fullmatch(NAME_PATTERN, name)
    assert InvokeTask(task=name).task == name


@pytest.mark.parametrize("name", ["", "-a", ".a", "_a", "a b", "a/b", "a\n", "ä", "a*", "a" * 129])
def test_name_invalid_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        InvokeTask(task=name)


def test_name_is_case_sensitive() -> None:
    assert InvokeTask(task="Task") != InvokeTask(task="task")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("a",), "AQ1JAVXAT2HKT3WD76FRMWEJS0"),
        (("a", "b", 1), "SWJRR8H948EFD3Z82ZWN7NEZZT"),
    ],
)
def test_derived_id_is_stable(parts: tuple[str | int, ...], expected: str) -> None:
    assert derived_id(*parts) == expected


def test_run_id_is_stable() -> None:
    assert run_id_of("task-3", "nightly") == "SMY7R7W6748PKYCEC3SNT09PCY"


@given(PARTS)
def test_derived_id_has_the_form_of_a_run_id(parts: list[str | int]) -> None:
    assert re.fullmatch(RUN_ID_PATTERN, derived_id(*parts))


@given(PARTS, PARTS)
def test_derived_ids_are_equal_iff_their_parts_are(
    some: list[str | int], others: list[str | int]
) -> None:
    assert (derived_id(*some) == derived_id(*others)) == ([*map(str, some)] == [*map(str, others)])


def test_run_id_of_other_task_differs() -> None:
    assert run_id_of("task-1", "k") != run_id_of("task-2", "k")


@given(NAMES)
def test_server_of_source_is_its_name(name: str) -> None:
    assert server_of(server_source(name)) == name


@pytest.mark.parametrize(
    "source",
    ["cordyna.cerebro", "cordyna.client", "cordyna.scheduler", "cordyna.servers.a", "aws.ec2", ""],
)
def test_server_of_other_source_is_none(source: str) -> None:
    assert server_of(source) is None


@pytest.mark.parametrize(
    ("source", "client"),
    [
        ("cordyna.client", True),
        ("cordyna.client.alice", True),
        ("cordyna.clients", False),
        ("cordyna.cerebro", False),
        ("client", False),
    ],
)
def test_is_client_only_below_cordyna_client(source: str, client: bool) -> None:  # noqa: FBT001
    assert is_client(source) is client


def test_id_of_a_flag_is_not_that_of_its_number() -> None:
    """Ids come from a cache, and a dictionary takes True for 1."""
    flag: int = True
    assert derived_id("a", 1) != derived_id("a", flag)
    assert derived_id("a", 1) == derived_id("a", "1") == content_id("a", 1)
