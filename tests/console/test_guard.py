"""Which requests reach the console: a table, then requests that no browser would make."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.consoles import ACCESS, BEARER, HOST, a_client, a_console, an_engine
from cordyna_console.guard import BODY_BYTES_MAX, RequestHead, refusal
from cordyna_console.middleware import BODY_WITHIN_S
from cordyna_console.server import REQUEST_WITHIN_S, ConsoleServer

COOKIE = {"cookie": f"{ACCESS.cookie_name}={ACCESS.cookie}"}
JSON = {"content-type": "application/json", "x-cordyna": "1"}
GET, POST = "GET", "POST"
API, PAGE = "/api/v1/runs", "/runs"


@pytest.mark.parametrize(
    ("status", "method", "path", "headers"),
    [
        (None, GET, PAGE, {}),
        (None, GET, API, COOKIE),
        (None, GET, API, {"authorization": "Bearer the-token"}),
        (None, GET, API, {**COOKIE, "host": "localhost:8420"}),
        (None, GET, API, {**COOKIE, "origin": "http://localhost:8420"}),
        (None, GET, API, {**COOKIE, "sec-fetch-site": "same-origin"}),
        (None, GET, PAGE, {"sec-fetch-site": "none"}),
        (None, POST, API, {**COOKIE, **JSON}),
        (None, POST, API, {**COOKIE, **JSON, "content-type": "application/json; charset=utf-8"}),
        # DNS rebinding: the name is the attacker's, the address is ours.
        (421, GET, API, {**COOKIE, "host": "evil.example:8420"}),
        (421, GET, PAGE, {"host": "evil.example"}),
        (421, GET, PAGE, {"host": "127.0.0.1"}),
        (421, GET, PAGE, {"host": "127.0.0.1:9999"}),
        (421, GET, PAGE, {"host": "127.0.0.1:8420.evil.example"}),
        (421, GET, PAGE, {"host": ""}),
        (403, GET, API, {**COOKIE, "origin": "http://evil.example"}),
        (403, GET, API, {**COOKIE, "origin": "null"}),
        (403, GET, API, {**COOKIE, "origin": "http://127.0.0.1:9999"}),
        (403, GET, API, {**COOKIE, "origin": "https://127.0.0.1:8420"}),
        (403, GET, API, {**COOKIE, "sec-fetch-site": "cross-site"}),
        (403, GET, API, {**COOKIE, "sec-fetch-site": "same-site"}),
        (403, GET, PAGE, {"sec-fetch-site": "cross-site"}),
        (401, GET, API, {}),
        (401, GET, API, {"cookie": f"{ACCESS.cookie_name}=guess"}),
        (401, GET, API, {"cookie": f"cordyna_console_9999={ACCESS.cookie}"}),
        (401, GET, API, {"cookie": "=;;=\x01"}),
        (401, GET, API, {"authorization": "Bearer guess"}),
        (401, GET, API, {"authorization": "the-token", **COOKIE}),
        (401, POST, API, JSON),
        # A program that is not known learns nothing else.
        (401, POST, API, {}),
        (403, POST, API, {**COOKIE, "content-type": "application/json"}),
        (403, POST, API, {**COOKIE, "x-cordyna": "1"}),
        (403, POST, API, {**COOKIE, **JSON, "content-type": "text/plain"}),
        (403, POST, API, {**COOKIE, **JSON, "x-cordyna": "yes"}),
        (403, POST, PAGE, {"content-type": "application/x-www-form-urlencoded"}),
        (405, "OPTIONS", API, COOKIE),
        (405, "DELETE", API, {**COOKIE, **JSON}),
        (405, "PUT", API, {**COOKIE, **JSON}),
        (None, POST, API, {**COOKIE, **JSON, "content-length": str(BODY_BYTES_MAX)}),
        (413, POST, API, {**COOKIE, **JSON, "content-length": str(BODY_BYTES_MAX + 1)}),
        (413, POST, API, {**COOKIE, **JSON, "content-length": "99999999"}),
        (413, POST, API, {**COOKIE, **JSON, "content-length": "-1"}),
        (400, GET, "http://evil.example/api/v1/runs", COOKIE),
        (400, GET, "/..\\..\\secret", COOKIE),
    ],
)
def test_guard_answers_as_the_table_says(
    status: int | None, method: str, path: str, headers: dict[str, str]
) -> None:
    sent = {"host": HOST, **headers}
    refused = refusal(RequestHead(method=method, path=path, headers=tuple(sent.items())), ACCESS)
    assert (refused.status if refused else None) == status
    if refused is not None:
        assert refused.what.endswith(".")
        assert refused.why
        assert refused.next


@pytest.mark.parametrize("name", ["host", "origin", "sec-fetch-site"])
def test_guard_header_sent_twice_is_refused(name: str) -> None:
    good = {"host": HOST, "origin": f"http://{HOST}", "sec-fetch-site": "same-origin", **COOKIE}
    headers = (*good.items(), (name, "evil.example"))
    assert refusal(RequestHead(method=GET, path=API, headers=headers), ACCESS) is not None


@pytest.mark.parametrize("hosts", [[], [HOST, HOST]])
def test_guard_needs_one_host(hosts: list[str]) -> None:
    headers = (*(("host", host) for host in hosts), *COOKIE.items())
    refused = refusal(RequestHead(method=GET, path=API, headers=headers), ACCESS)
    assert refused is not None
    assert refused.status == 421


def test_every_answer_carries_the_security_headers() -> None:
    with an_engine() as engine:
        client = a_client(a_console(engine))
        answers = [client.get("/"), client.get("/api/v1/me"), client.get("/app/none.js")]
        answers.append(client.get("/api/v1/me", headers=BEARER))
    assert [answer.status_code for answer in answers] == [200, 401, 404, 200]
    for answer in answers:
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "path",
    ["/../models.py", "/app/../../guard.py", "/%2e%2e/models.py", "/app/%2e%2e%2f..%2fguard.py"],
)
def test_page_path_outside_of_the_page_is_not_served(path: str) -> None:
    with an_engine() as engine:
        answer = a_client(a_console(engine)).get(path)
    assert "ConsoleAccess" not in answer.text
    assert "from pydantic" not in answer.text


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with an_engine() as engine:
        server = ConsoleServer(a_console(engine), tmp_path / "console.json", port=None)
        server.start()
        yield server.port
        server.stop()


def answer_to(port: int, sent: bytes, *, wait_s: float = 20.0) -> bytes:
    """What the server answers until it closes the connection, or `wait_s` have passed."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait_s) as connection:
        connection.sendall(sent)
        received = b""
        try:
            while part := connection.recv(65536):
                received += part
        except TimeoutError:
            return received + b"[still open]"
        except ConnectionResetError:
            return received
    return received


def test_raw_requests_that_no_browser_makes_are_refused(port: int) -> None:
    host = f"Host: 127.0.0.1:{port}\r\nConnection: close\r\n".encode()
    get = b"GET /api/v1/runs HTTP/1.1\r\n"
    cases = {
        "no Host": (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", b"400"),
        "two Hosts": (get + host + b"Host: evil.example\r\n\r\n", b"4"),
        "absolute target": (b"GET http://evil.example/ HTTP/1.1\r\n" + host + b"\r\n", b"400"),
        "no HTTP at all": (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"400"),
        "no cookie": (get + host + b"\r\n", b"401"),
        "a header of 100 kB": (get + host + b"X-Long: " + b"a" * 100_000 + b"\r\n\r\n", b"4"),
        "two lengths": (
            b"POST /api/v1/runs HTTP/1.1\r\n"
            + host
            + b"Content-Length: 2\r\nContent-Length: 20\r\n\r\n{}",
            b"400",
        ),
        "length and chunks": (
            b"POST /api/v1/runs HTTP/1.1\r\n"
            + host
            + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"4",
        ),
    }
    for name, (sent, status) in cases.items():
        first = answer_to(port, sent).split(b"\r\n")[0]
        assert first.startswith(b"HTTP/1.1 " + status), (name, first)


def test_pipelined_requests_are_each_examined(port: int) -> None:
    good = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    evil = b"GET /api/v1/runs HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    answer = answer_to(port, good + evil)
    assert b"HTTP/1.1 200" in answer
    assert b"HTTP/1.1 421" in answer


def test_body_larger_than_the_limit_is_refused(port: int, tmp_path: Path) -> None:
    head = (
        f"POST /api/v1/runs HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Authorization: Bearer {token_in(tmp_path)}\r\nX-Cordyna: 1\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
    answer = answer_to(port, head + chunk * 17 + b"0\r\n\r\n")
    assert b"HTTP/1.1 413" in answer


def test_request_and_body_that_do_not_arrive_are_given_up(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert REQUEST_WITHIN_S <= 10
    assert BODY_WITHIN_S <= 10
    monkeypatch.setattr("cordyna_console.server.REQUEST_WITHIN_S", 0.2)
    monkeypatch.setattr("cordyna_console.middleware.BODY_WITHIN_S", 0.2)
    begin = time.monotonic()
    assert b"[still open]" not in answer_to(port, b"GET / HTTP/1.1\r\nHost: ")
    slow = (
        f"POST /api/v1/runs HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Authorization: Bearer {token_in(tmp_path)}\r\nX-Cordyna: 1\r\n"
        "Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{"
    )
    assert b"HTTP/1.1 408" in answer_to(port, slow.encode())
    assert time.monotonic() - begin < 8


def token_in(folder: Path) -> str:
    from cordyna_console.console_file import ConsoleFile  # noqa: PLC0415

    file = ConsoleFile.read(folder / "console.json")
    assert file is not None
    return file.token
