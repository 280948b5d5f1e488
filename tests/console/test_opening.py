"""Opening the console: codes, the cookie, the file by which `dyna open` finds it."""

import json
import os
import stat
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from urllib.request import OpenerDirector, Request

import pytest

from console.consoles import ACCESS, CHANGES, a_client, a_console, an_engine
from cordyna_cli.console import ConsoleOptions
from cordyna_console.console_file import ConsoleFile, opening_address
from cordyna_console.entry import ConsoleEntry
from cordyna_console.openings import CODE_VALID_S, CODES_MAX, Openings, cookie_of
from cordyna_console.server import bind
from cordyna_core.errors import ServiceError, UserError


def test_code_works_once_and_within_a_minute() -> None:
    now = 0.0
    openings = Openings(lambda: now)
    code, late = openings.issue(), openings.issue()
    assert openings.redeem(code)
    assert not openings.redeem(code)
    now = CODE_VALID_S + 1
    assert not openings.redeem(late)
    assert not openings.redeem("guess")


def test_codes_that_are_never_used_do_not_pile_up() -> None:
    openings = Openings(lambda: 0.0)
    first = openings.issue()
    for _ in range(CODES_MAX):
        openings.issue()
    assert not openings.redeem(first)


def test_open_sets_the_cookie_and_leads_to_the_page() -> None:
    with an_engine() as engine:
        client = a_client(a_console(engine))
        code = client.post("/api/v1/openings", headers=CHANGES, json={}).json()["code"]
        answer = client.get("/open", params={"code": code, "to": "/runs/X"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/runs/X")
        cookie = answer.headers["set-cookie"]
        assert f"{ACCESS.cookie_name}={ACCESS.cookie}" in cookie
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        again = client.get("/open", params={"code": code})
        assert (again.headers["location"], "set-cookie" in again.headers) == ("/closed", False)


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_open_leads_to_no_other_site(to: str) -> None:
    with an_engine() as engine:
        client = a_client(a_console(engine))
        code = client.post("/api/v1/openings", headers=CHANGES, json={}).json()["code"]
        assert client.get("/open", params={"code": code, "to": to}).headers["location"] == "/"


def test_cookie_does_not_give_the_token_away() -> None:
    assert "token" not in cookie_of("token", 8420)
    assert cookie_of("token", 8420) != cookie_of("token", 8421)


def test_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "home" / "console.json"
    ConsoleFile(8420, os.getpid(), "secret").write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ConsoleFile.read(path) == ConsoleFile(8420, os.getpid(), "secret")


def test_file_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file, not a folder")
    with pytest.raises(ServiceError, match="could not be written") as error:
        ConsoleFile(8420, 1, "secret").write(tmp_path / "home" / "console.json")
    assert "CORDYNA_HOME" in error.value.next


OTHERS = '{"port": 1, "pid": 1, "token": "t", "others": [8420]}'


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"port": "x", "pid": 1, "token": "t"}', "\0", OTHERS]
)
def test_file_that_is_not_ours_is_no_console(tmp_path: Path, content: str) -> None:
    path = tmp_path / "console.json"
    path.write_text(content)
    assert ConsoleFile.read(path) is None
    assert ConsoleEntry().find(tmp_path) is None


def test_find_does_not_trust_what_else_listens_there(tmp_path: Path) -> None:
    with bind(None) as other:
        port = other.getsockname()[1]
        ConsoleFile(port, os.getpid(), "secret").write(tmp_path / "console.json")
        other.close()
        assert ConsoleEntry().find(tmp_path) is None


def test_entry_starts_a_console_that_find_finds(tmp_path: Path) -> None:
    with an_engine() as engine:
        options = ConsoleOptions(
            engine="embedded", where="home", command="dyna", by="ana", folder=tmp_path
        )
        first = ConsoleEntry().start(engine, options)
        token = json.loads((tmp_path / "console.json").read_text())["token"]
        address_of = ConsoleEntry().find(tmp_path)
        assert address_of is not None
        assert "/open?code=" in address_of("/runs")
        first.stop()
        assert ConsoleEntry().find(tmp_path) is None
        second = ConsoleEntry().start(engine, options)
        # What was opened stays open: the token outlives the process.
        assert json.loads((tmp_path / "console.json").read_text())["token"] == token
        second.stop()


def test_find_asks_a_console_once_and_waits_for_a_busy_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ConsoleFile(8420, os.getpid(), "secret").write(tmp_path / "console.json")
    timeouts: list[float] = []

    def answer(_opener: OpenerDirector, _request: Request, timeout: float) -> nullcontext[object]:
        timeouts.append(timeout)
        return nullcontext(SimpleNamespace(status=201, read=lambda: b'{"code": "once"}'))

    monkeypatch.setattr(OpenerDirector, "open", answer)
    address_of = ConsoleEntry().find(tmp_path)

    assert address_of is not None
    assert address_of("/runs") == opening_address(8420, "once", "/runs")
    assert timeouts == [10.0]


def test_port_that_is_taken_is_a_clear_error() -> None:
    with bind(None) as taken, pytest.raises(UserError, match="could not listen") as error:
        bind(taken.getsockname()[1])
    assert "--port" in error.value.next


def test_without_a_port_the_next_free_one_is_taken() -> None:
    with bind(None) as first, bind(None) as second:
        assert first.getsockname()[1] != second.getsockname()[1]
        assert first.getsockname()[0] == "127.0.0.1"


def test_address_of_a_page_is_quoted() -> None:
    assert opening_address(1, "c") == "http://127.0.0.1:1/open?code=c"
    assert (
        opening_address(1, "c", "/a?b=1&c") == "http://127.0.0.1:1/open?code=c&to=%2Fa%3Fb%3D1%26c"
    )
