"""Documents: every block of code is run or compared, or says why not."""

from pathlib import Path

import pytest

from architecture.repository import ROOT, name_of
from docs.blocks import by_place, exists, pages
from docs.checks import check_page
from docs.sandbox import Sandbox

NOT_RUN_MAX = 30
PAGES = pages()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_page_does_what_it_shows(page: Path, tmp_path: Path) -> None:
    check_page(page, Sandbox(tmp_path))


def test_blocks_that_are_not_run_are_few_and_say_why() -> None:
    reasons = {
        place: block.directives["not-run"]
        for place, block in by_place().items()
        if "not-run" in block.directives
    }
    assert [place for place, reason in reasons.items() if len(reason.split()) < 3] == []
    assert len(reasons) <= NOT_RUN_MAX, "\n".join(f"{at}: {why}" for at, why in reasons.items())


def test_blocks_that_are_run_elsewhere_name_where() -> None:
    """The file that runs a block names the page, so that both are changed together."""
    for place, block in by_place().items():
        target = block.directives.get("run-by")
        if target is not None:
            assert exists(target), f"{place}: {target} does not exist"
            assert Path(block.page).name in (ROOT / target).read_text(), f"{place}: {target}"
