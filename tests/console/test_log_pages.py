"""The log of a run, page by page: no line twice, none left out, and an end."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from console.consoles import get
from cordyna_core.contract.views.runs import RunView


def pages(client: TestClient, run: RunView, **query: Any) -> list[list[str]]:
    """The texts of all pages, as a client reads them."""
    found: list[list[str]] = []
    after = 0
    while after is not None:
        page = get(client, f"/runs/{run.run_id}/logs", after=after, **query)
        found.append([row["text"] for row in page["rows"]])
        after = page["next"]
    return found


def test_pages_of_a_log_are_the_log(client: TestClient, failed: RunView) -> None:
    (whole,) = pages(client, failed)
    assert len(whole) > 20
    by_seven = pages(client, failed, limit=7)
    assert [line for page in by_seven for line in page] == whole
    assert [len(page) for page in by_seven[:-1]] == [7] * (len(by_seven) - 1)


@pytest.mark.parametrize("limit", [1, 4, 5, 10, 11])
def test_pages_of_the_found_lines_end_with_the_last_one(
    client: TestClient, failed: RunView, limit: int
) -> None:
    """Eleven lines are found, so a page may be full and the last one."""
    found = pages(client, failed, q="line 1", task="orders", limit=limit)
    lines = [line for page in found for line in page]
    assert [line.rpartition(" ")[2] for line in lines] == ["1", *map(str, range(10, 20))]
    assert all(found)


def test_page_behind_the_last_line_is_empty_and_the_last(
    client: TestClient, failed: RunView
) -> None:
    page = get(client, f"/runs/{failed.run_id}/logs", after=10_000)
    assert (page["rows"], page["next"]) == ([], None)
    assert page["matched"] == page["total"] > 20
