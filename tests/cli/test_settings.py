"""Settings: typed, set, written down, in this order."""

from pathlib import Path

import pytest

from cli.fake_engine import FakeEngine
from cli.run_dyna import CliResult, dyna
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
    result = dyna(*words, "runs", engine=engine, cwd=cwd, environ=environ)
    assert result.status == 0, result.err
    assert engine.options is not None
    return engine.options


def engine_of(*words: str, cwd: Path = Path("/nowhere"), **environ: str) -> str:
    result = dyna(*words, "runs", cwd=cwd, environ=environ)
    return result.err.split()[2]


def test_defaults_are_the_embedded_engine_without_servers() -> None:
    assert options_of() == EngineOptions()
    assert engine_of() == "embedded"


def test_nearest_table_upwards_is_used_with_its_paths(project: Path) -> None:
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


def test_home_comes_from_option_environment_then_table(project: Path) -> None:
    assert options_of("--home", "x", cwd=project, CORDYNA_HOME="y").home == "x"
    assert options_of(cwd=project, CORDYNA_HOME="y").home == "y"


@pytest.mark.parametrize("option", ["--profile", "--region", "--endpoint-url", "--bus"])
def test_each_cloud_option_chooses_aws(option: str) -> None:
    assert engine_of(option, "x") == "aws"


@pytest.mark.parametrize(
    "name", ["CORDYNA_PROFILE", "CORDYNA_REGION", "CORDYNA_ENDPOINT_URL", "CORDYNA_BUS"]
)
def test_each_cloud_variable_chooses_aws(name: str) -> None:
    assert dyna("runs", environ={name: "x"}).err.startswith("error: the aws engine")


def test_cloud_setting_in_the_table_chooses_aws(tmp_path: Path) -> None:
    write(tmp_path, 'bus = "cordyna"')

    assert engine_of(cwd=tmp_path) == "aws"


def test_aws_profile_alone_chooses_nothing() -> None:
    assert engine_of(AWS_PROFILE="prod") == "embedded"


def test_server_option_runs_here_despite_a_cloud_setting() -> None:
    assert engine_of("--server", "my.py", CORDYNA_PROFILE="prod") == "embedded"
    assert options_of("--server", "my.py", CORDYNA_PROFILE="prod") == EngineOptions(
        servers=("my.py",)
    )


def test_server_and_cloud_options_exclude_each_other() -> None:
    result = dyna("--server", "my.py", "--endpoint-url", "http://x", "runs", engine=FakeEngine())

    assert result.status == 2
    assert result.err.startswith("error: --server and --endpoint-url exclude each other.\n")


def test_profile_file_comes_last_and_names_its_aws_profile(
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


def test_profiles_default_to_the_home_directory(tmp_path: Path) -> None:
    (tmp_path / ".config" / "cordyna").mkdir(parents=True)
    (tmp_path / ".config" / "cordyna" / "local.toml").write_text('profile = "sso"\n')

    assert options_of("--profile", "local", HOME=str(tmp_path)).profile == "sso"


def test_profile_without_file_comes_with_those_that_have_one(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "cordyna"
    folder.mkdir(parents=True)
    for name in ("staging", "local"):
        (folder / f"{name}.toml").write_text('bus = "x"\n')

    assert options_of("--profile", "nope", HOME=str(tmp_path)).known_profiles == (
        "local",
        "staging",
    )
    assert options_of("--profile", "local", HOME=str(tmp_path)).known_profiles == ()


def test_profile_without_file_is_one_of_aws(tmp_path: Path) -> None:
    assert options_of("--profile", "prod", HOME=str(tmp_path)).profile == "prod"


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ('server = ["x"]', "there is no setting `server`: did you mean `servers`?"),
        (
            "colour = 1",
            (
                "there is no setting `colour`; "
                "there are servers, alerts, home, profile, region, endpoint_url, bus, client"
            ),
        ),
        (
            'servers = "x"',
            (
                '`servers` is a list, for example ["shop.py", '
                '{target = "exec:node server.mjs", concurrency = 4}]'
            ),
        ),
        ("bus = 1", "`bus` is a text"),
    ],
)
def test_unknown_setting_is_refused(tmp_path: Path, table: str, why: str) -> None:
    write(tmp_path, table)

    result = in_(tmp_path)

    assert result.status == 1
    assert result.err.splitlines()[:2] == [
        f"error: [tool.cordyna] in {tmp_path}/pyproject.toml has settings that are not valid.",
        f"  {why}",
    ]


def test_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    write(tmp_path, "servers = [")

    result = in_(tmp_path)

    assert result.status == 1
    assert result.err.startswith(f"error: {tmp_path}/pyproject.toml cannot be read.\n")


@pytest.mark.parametrize("value", ["3", '"my.py"', '["my.py"]'])
def test_setting_that_is_no_table_is_refused(tmp_path: Path, value: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool]\ncordyna = {value}\n")

    result = in_(tmp_path)

    assert result.status == 1
    assert result.err.startswith(
        f"error: [tool.cordyna] in {tmp_path}/pyproject.toml is not a table.\n"
    )


def test_file_whose_tools_are_no_table_has_no_settings(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("tool = 3\n")

    assert in_(tmp_path).status == 0


def in_(cwd: Path) -> CliResult:
    return dyna("runs", engine=FakeEngine(), cwd=cwd)
