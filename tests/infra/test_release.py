"""The release: every distribution of this repository but the examples is published."""

import re

from architecture.repository import ROOT


def test_release_counts_every_published_distribution() -> None:
    makefile = (ROOT / "Makefile").read_text()
    listed = re.search(r"^DISTRIBUTIONS := (.*)$", makefile, re.MULTILINE)
    assert listed is not None
    published = [name for name in listed[1].split() if "task_server" not in name]
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    # Beside them, `make dist` builds cordyna-cdk.
    assert f"--line-regexp {len(published) + 1}" in workflow
