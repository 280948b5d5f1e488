"""Rule 10: which declarations a removal takes with it (docs/rules.md, rule 10)."""

import pytest

from cordyna_core.contract.commands import RemoveServer
from cordyna_core.contract.ids import CLIENT
from world.scenarios import a_world


@pytest.mark.parametrize(("revision", "stays"), [(6, True), (7, False), (8, False)])
def test_removal_spares_a_higher_revision_only(revision: int, stays: bool) -> None:  # noqa: FBT001
    world = a_world("a", revision=7)
    world.publish(RemoveServer(server="s", revision=revision), CLIENT)
    assert ("s" in world.store.read_graph().declarations) is stays
