"""What an adversary on this machine, or a page of another site, may try: odd requests by socket."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.consoles import a_console, an_engine
from console.test_guard import answer_to, token_in
from cordyna_console.server import ConsoleServer


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ConsoleServer, Path]]:
    folder = tmp_path_factory.mktemp("console")
    with an_engine() as engine:
        server = ConsoleServer(a_console(engine), folder / "console.json", port=None)
        server.start()
        yield server, folder
        server.stop()


def status_of(server: ConsoleServer, sent: bytes) -> int:
    """The status of the first answer; 0: the connection was closed without one."""
    line = answer_to(server.port, sent).split(b"\r\n", maxsplit=1)[0]
    return int(line.split()[1]) if line.startswith(b"HTTP/1.1 ") else 0


def request(server: ConsoleServer, line: str, *headers: str, body: str = "") -> bytes:
    lines = [line, f"Host: 127.0.0.1:{server.port}", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1")


POST_LINE = "POST /api/v1/runs HTTP/1.1"
JSON = ("Content-Type: application/json", "X-Cordyna: 1")


@pytest.mark.parametrize(
    ("line", "headers"),
    [
        # Smuggling: two readings of where a body ends.
        (POST_LINE, ("Transfer-Encoding: xchunked",)),
        (POST_LINE, ("Transfer-Encoding: chunked, identity",)),
        (POST_LINE, ("Transfer-Encoding : chunked",)),
        (POST_LINE, ("Transfer-Encoding:\x0bchunked",)),
        (POST_LINE, ("Content-Length: +2",)),
        (POST_LINE, ("Content-Length: 0x2",)),
        (POST_LINE, ("Content-Length: 2, 20",)),
        (POST_LINE, ("Content-Length: 2", "Transfer-Encoding: chunked")),
        # Headers that are more than one line, or none.
        ("GET / HTTP/1.1", ("X-Odd: a\r\n folded", "X-Odd\0: b")),
        ("GET / HTTP/1.1", ("no colon at all",)),
        ("GET / HTTP/1.1", (": no name",)),
        ("GET / HTTP/1.1", ("X-Odd: a\rb",)),
        # Lines that are no request of this protocol.
        ("GET /", ()),
        ("PRI * HTTP/2.0", ()),
        ("OPTIONS * HTTP/1.1", ()),
        ("CONNECT 127.0.0.1:22 HTTP/1.1", ()),
        ("TRACE / HTTP/1.1", ()),
        ("get / HTTP/1.1", ()),
        ("GET http://127.0.0.1/ HTTP/1.1", ()),
        ("GET //evil.example/ HTTP/1.1", ("Host: evil.example",)),
        (f"GET /{'a' * 70_000} HTTP/1.1", ()),
    ],
)
def test_odd_request_is_refused(
    served: tuple[ConsoleServer, Path], line: str, headers: tuple[str, ...]
) -> None:
    server, folder = served
    bearer = f"Authorization: Bearer {token_in(folder)}"
    status = status_of(server, request(server, line, bearer, *JSON, *headers, body="{}"))
    assert status == 0 or 400 <= status < 500, status


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "127.0.0.1.:{port}", "127.1:{port}", "2130706433:{port}", "0.0.0.0:{port}",
        "[::1]:{port}", "user@127.0.0.1:{port}", "127.0.0.1:{port}.evil.example",
        "127.0.0.1:{port}, evil.example", "127.0.0.1:{port} ", "localhost.evil.example:{port}",
        "localhost", "127.0.0.1:0{port}",
    ],
)  # fmt: skip
def test_rebound_name_is_refused(served: tuple[ConsoleServer, Path], host: str) -> None:
    server, folder = served
    name = host.format(port=server.port)
    lines = ["GET /api/v1/runs HTTP/1.1", f"Host: {name}", "Connection: close"]
    lines += [f"Authorization: Bearer {token_in(folder)}", "X-Forwarded-Host: 127.0.0.1"]
    status = status_of(server, ("\r\n".join(lines) + "\r\n\r\n").encode())
    # White space around a value is not part of it.
    assert status == (200 if name.endswith(" ") else 421), status


@pytest.mark.parametrize(
    "path",
    [
        "/..%2fguard.py", "/%2e%2e/guard.py", "/%252e%252e/guard.py", "/app/..%5c..%5cguard.py",
        "/app/%2e%2e/%2e%2e/guard.py", "/app//etc/passwd", "/%00", "/app/main.js%00.py", "/..;/x",
        "/app/main.js/../../guard.py", "/vendor/../../../../../etc/passwd",
    ],
)  # fmt: skip
def test_traversal_shows_no_file_of_ours(served: tuple[ConsoleServer, Path], path: str) -> None:
    answer = answer_to(served[0].port, request(served[0], f"GET {path} HTTP/1.1"))
    assert b"ConsoleAccess" not in answer
    assert b"root:" not in answer
    assert answer.split()[1] in (b"400", b"404")


@pytest.mark.parametrize("path", ["/api/v1/runs/live", "/api/v1/events/live"])
def test_stream_needs_the_cookie_and_its_own_site(
    served: tuple[ConsoleServer, Path], path: str
) -> None:
    server, folder = served
    line, bearer = f"GET {path} HTTP/1.1", f"Authorization: Bearer {token_in(folder)}"
    assert status_of(server, request(server, line)) == 401
    assert status_of(server, request(server, line, "Cookie: cordyna_console_1=x")) == 401
    assert status_of(server, request(server, line, bearer, "Sec-Fetch-Site: cross-site")) == 403
    assert status_of(server, request(server, line, bearer, "Origin: https://evil.example")) == 403


def test_websocket_is_not_opened(served: tuple[ConsoleServer, Path]) -> None:
    server, folder = served
    upgrade = ("Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    sent = request(server, "GET /api/v1/runs HTTP/1.1", "Connection: Upgrade", *upgrade)
    assert status_of(server, sent) in (400, 401, 421)
    assert token_in(folder).encode() not in answer_to(server.port, sent)


def test_code_lets_in_one_of_two_at_the_same_time(served: tuple[ConsoleServer, Path]) -> None:
    server, _ = served
    code = server.openings.issue()
    barrier, answers = threading.Barrier(8), list[bytes]()

    def redeem() -> None:
        barrier.wait()
        answers.append(answer_to(server.port, request(server, f"GET /open?code={code} HTTP/1.1")))

    threads = [threading.Thread(target=redeem) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(b"set-cookie: " in answer.lower() for answer in answers) == 1
    assert len(answers) == 8


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example",
        "javascript:alert(1)", "/%09/evil.example", "/%0d%0aSet-Cookie:%20a=b", "/\\/evil.example",
        "/%5cevil.example", "%00/",
    ],
)  # fmt: skip
def test_opening_leads_to_this_console_only(served: tuple[ConsoleServer, Path], to: str) -> None:
    server, _ = served
    line = f"GET /open?code={server.openings.issue()}&to={to} HTTP/1.1"
    answer = answer_to(server.port, request(server, line)).decode("latin-1").lower()
    assert "\r\nlocation: /\r\n" in answer
    assert "set-cookie: a=b" not in answer


def test_silent_connections_keep_no_person_out(served: tuple[ConsoleServer, Path]) -> None:
    server, _ = served
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(120)]
    try:
        for connection in silent[::2]:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: ")
        assert status_of(server, request(server, "GET /runs HTTP/1.1")) == 200
    finally:
        for connection in silent:
            connection.close()


def test_second_request_of_a_connection_is_timed_too(
    served: tuple[ConsoleServer, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cordyna_console.server.REQUEST_WITHIN_S", 0.3)
    server, _ = served
    first = f"GET /runs HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode()
    assert b"[still open]" not in answer_to(server.port, first + b"GET / HTTP/1.1\r\nHos")
