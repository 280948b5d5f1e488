"""Settings: typed, set, written down, in this order."""

from pathlib import Path

import pytest

from cli.fake_engine import FakeEngine
from cli.running import Told, dyna
from cordyna_cli.engine import EngineOptions


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project" / "below").mkdir(parents=True)
    (tmp_path / "project" / "below" / "pyproject.toml").write_text(
        '[project]\nname = "has no table of ours"\n'
    )
    write(
        tmp_path / "project",
        'servers = ["sales.server:server", "more/my.py:server", "flat.py"]\nhome = "runs"',
    )
    return tmp_path / "project"


def write(directory: Path, table: str) -> None:
    (directory / "pyproject.toml").write_text(f"[tool.cordyna]\n{table}\n")


def options_of(*words: str, cwd: Path = Path("/nowhere"), **environ: str) -> EngineOptions:
    engine = FakeEngine()
    told = dyna(*words, "runs", engine=engine, cwd=cwd, environ=environ)
    assert told.status == 0, told.err
    assert engine.options is not None
    return engine.options


def engine_of(*words: str, cwd: Path = Path("/nowhere"), **environ: str) -> str:
    told = dyna(*words, "runs", cwd=cwd, environ=environ)
    return told.err.split()[2]


def test_nothing_said_is_the_embedded_engine_without_servers() -> None:
    assert options_of() == EngineOptions()
    assert engine_of() == "embedded"


def test_the_nearest_table_upwards_counts_and_its_paths_are_meant_from_there(project: Path) -> None:
    found = options_of(cwd=project / "below")

    assert found.servers == (
        "sales.server:server",
        f"{project}/more/my.py:server",
        f"{project}/flat.py",
    )
    assert found.home == f"{project}/runs"


def test_cordyna_servers_replaces_the_table(project: Path) -> None:
    assert options_of(cwd=project, CORDYNA_SERVERS="one.py, two:server,").servers == (
        "one.py",
        "two:server",
    )


def test_server_options_replace_cordyna_servers(project: Path) -> None:
    assert options_of(
        "--server", "a.py", "--server", "b:s", cwd=project, CORDYNA_SERVERS="one.py"
    ).servers == ("a.py", "b:s")


def test_home_is_taken_from_the_option_then_the_environment_then_the_table(project: Path) -> None:
    assert options_of("--home", "x", cwd=project, CORDYNA_HOME="y").home == "x"
    assert options_of(cwd=project, CORDYNA_HOME="y").home == "y"


@pytest.mark.parametrize("option", ["--profile", "--region", "--endpoint-url", "--bus"])
def test_each_option_of_the_cloud_chooses_aws(option: str) -> None:
    assert engine_of(option, "x") == "aws"


@pytest.mark.parametrize(
    "name", ["CORDYNA_PROFILE", "CORDYNA_REGION", "CORDYNA_ENDPOINT_URL", "CORDYNA_BUS"]
)
def test_so_does_each_setting_of_the_cloud(name: str) -> None:
    assert dyna("runs", environ={name: "x"}).err.startswith("error: the aws engine")


def test_so_does_the_table(tmp_path: Path) -> None:
    write(tmp_path, 'bus = "cordyna"')

    assert engine_of(cwd=tmp_path) == "aws"


def test_aws_profile_alone_chooses_nothing() -> None:
    assert engine_of(AWS_PROFILE="prod") == "embedded"


def test_servers_given_by_hand_run_here_whatever_cloud_is_set() -> None:
    assert engine_of("--server", "my.py", CORDYNA_PROFILE="prod") == "embedded"
    assert options_of("--server", "my.py", CORDYNA_PROFILE="prod") == EngineOptions(
        servers=("my.py",)
    )


def test_servers_and_a_cloud_both_given_by_hand_exclude_each_other() -> None:
    told = dyna("--server", "my.py", "--endpoint-url", "http://x", "runs", engine=FakeEngine())

    assert told.status == 2
    assert told.err.startswith("error: --server and --endpoint-url exclude each other.\n")


def test_a_profile_of_ours_comes_last_and_says_itself_which_of_aws_it_goes_with(
    tmp_path: Path,
) -> None:
    (tmp_path / "config" / "cordyna").mkdir(parents=True)
    (tmp_path / "config" / "cordyna" / "local.toml").write_text(
        'endpoint_url = "http://localhost:4566"\nbus = "mine"\nregion = "eu-west-1"\n'
    )

    found = options_of(
        "--profile",
        "local",
        "--bus",
        "typed",
        XDG_CONFIG_HOME=str(tmp_path / "config"),
        CORDYNA_REGION="eu-central-1",
    )

    assert found == EngineOptions(
        region="eu-central-1", endpoint_url="http://localhost:4566", bus="typed"
    )


def test_profiles_lie_in_the_home_directory_where_nothing_else_is_said(tmp_path: Path) -> None:
    (tmp_path / ".config" / "cordyna").mkdir(parents=True)
    (tmp_path / ".config" / "cordyna" / "local.toml").write_text('profile = "sso"\n')

    assert options_of("--profile", "local", HOME=str(tmp_path)).profile == "sso"


def test_a_profile_that_is_not_ours_is_one_of_aws(tmp_path: Path) -> None:
    assert options_of("--profile", "prod", HOME=str(tmp_path)).profile == "prod"


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ('server = ["x"]', "there is no setting `server`: did you mean `servers`?"),
        (
            "colour = 1",
            "there is no setting `colour`; there are servers, home, profile, region, endpoint_url, bus",
        ),
        ('servers = "x"', '`servers` is a list of texts, for example ["my_servers.sales:server"]'),
        ("bus = 1", "`bus` is a text"),
    ],
)
def test_a_setting_that_nobody_understands_is_refused(tmp_path: Path, table: str, why: str) -> None:
    write(tmp_path, table)

    told = in_(tmp_path)

    assert told.status == 1
    assert told.err.splitlines()[:2] == [
        f"error: [tool.cordyna] in {tmp_path}/pyproject.toml is not understood.",
        f"  {why}",
    ]


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    write(tmp_path, "servers = [")

    told = in_(tmp_path)

    assert told.status == 1
    assert told.err.startswith(f"error: {tmp_path}/pyproject.toml cannot be read.\n")


def in_(cwd: Path) -> Told:
    return dyna("runs", engine=FakeEngine(), cwd=cwd)
