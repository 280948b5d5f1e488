"""The local cloud: its profile replaces no other one; the page shows what it does."""

import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from architecture.repository import ROOT


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    spec = importlib.util.spec_from_file_location("cloud", ROOT / "infra/local_cloud/cloud.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_profile_is_written_and_replaced(cloud: ModuleType) -> None:
    for _ in range(2):
        profile = cloud.write_profile()
    assert tomllib.loads(profile.read_text())["bus"] == "cordyna"


def other_profile(tmp_path: Path) -> Path:
    file = tmp_path / "cordyna" / "local.toml"
    file.parent.mkdir()
    file.write_text('bus = "mine"\n')
    return file


def test_profile_of_another_is_kept_without_a_terminal(cloud: ModuleType, tmp_path: Path) -> None:
    file = other_profile(tmp_path)
    with pytest.raises(SystemExit, match="move it away"):
        cloud.write_profile()
    assert tomllib.loads(file.read_text()) == {"bus": "mine"}


@pytest.mark.parametrize(("answer", "bus"), [("y", "cordyna"), ("n", "mine"), ("", "mine")])
def test_profile_of_another_is_replaced_on_request(
    cloud: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, bus: str
) -> None:
    file = other_profile(tmp_path)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    if bus == "mine":
        with pytest.raises(SystemExit):
            cloud.write_profile()
    else:
        cloud.write_profile()
    assert tomllib.loads(file.read_text())["bus"] == bus


def test_page_shows_what_the_local_cloud_does(
    cloud: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the context of the local cloud, given once: every command uses the same assembly."""
    monkeypatch.setattr(cloud, "EMULATOR", Path(sys.executable))
    page = (ROOT / "docs" / "deploying.md").read_text().partition("### Without our wrapper")[2]
    block = page.partition("```sh\n")[2].partition("```")[0].replace("\\\n", " ")
    of_machine = {"architecture": "x86_64", "runtime": "python3.11", "image": "named"}
    shown = dict(re.findall(r"--context cordyna:([a-z-]+)=(\S+)", block))
    assert shown == cloud.context() | of_machine
    commands = re.findall(
        r"^npx cdk (synth|bootstrap|deploy) .*?(--output|--app) (\S+)", block, re.MULTILINE
    )
    assert commands == [
        ("synth", "--output", ".cloud/cdk.out"),
        ("bootstrap", "--app", ".cloud/cdk.out"),
        ("deploy", "--app", ".cloud/cdk.out"),
    ]
