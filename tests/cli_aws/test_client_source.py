"""The name under which `dyna` sends commands: the client of the profile."""

from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest

from cordyna_cli.aws.commands import client_source
from cordyna_cli.input.cli_context import GlobalFlags
from cordyna_cli.input.environment import Environment
from cordyna_cli.input.settings import resolve
from cordyna_core.errors import UserError


def surroundings(environ: dict[str, str], cwd: Path) -> Environment:
    return Environment(
        argv=(),
        environ=environ,
        cwd=cwd,
        stdin=StringIO(),
        stdout=StringIO(),
        stderr=StringIO(),
        now=lambda: datetime(2026, 11, 5, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("name", "source"), [(None, "cordyna.client"), ("alice", "cordyna.client.alice")]
)
def test_source_names_the_client(name: str | None, source: str) -> None:
    assert client_source(name) == source


@pytest.mark.parametrize("name", ["", "al ice", ".alice", "cordyna/alice"])
def test_bad_client_name_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="is not a name"):
        client_source(name)


def test_client_is_read_from_profile_and_environment(tmp_path: Path) -> None:
    (tmp_path / "cordyna").mkdir()
    (tmp_path / "cordyna" / "staging.toml").write_text('bus = "cordyna"\nclient = "alice"\n')
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    flags = GlobalFlags(profile="staging")
    assert resolve(flags, surroundings(environ, tmp_path)).options.client == "alice"
    environ["CORDYNA_CLIENT"] = "bob"
    assert resolve(flags, surroundings(environ, tmp_path)).options.client == "bob"
