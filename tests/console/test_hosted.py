"""The hosted console: each function answers its own routes, for the person of a verified token."""

import asyncio
import base64
import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from console.hosted import ALL, ENVIRON, SIGN_IN, a_cloud, a_function, ask, gateway_event
from cordyna_console.app import ROUTERS
from cordyna_console.hosted import lambda_handlers
from cordyna_console.hosted.app import hosted_routes
from cordyna_console.hosted.lambda_handlers import handler_of
from cordyna_console.hosted.person import client_name, person_of
from cordyna_console.hosted.sign_in import SignIn
from cordyna_console.routes.shared import Permission, permission_of
from cordyna_core.contract.ids import is_name

API = "/api/v1"
PERMISSIONS: tuple[Permission, ...] = ("look", "invoke", "operate")


@pytest.fixture(autouse=True, scope="module")
def closed_event_loop() -> Iterator[None]:
    """The adapter keeps one loop for a process, as in a Lambda; here the process lives on."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


def test_every_route_belongs_to_one_function_or_streams() -> None:
    hosted = [route.path for permission in PERMISSIONS for route in hosted_routes(permission)]
    every = [route.path for router in ROUTERS for route in router.routes]  # type: ignore[attr-defined]
    left = [path for path in every if path not in hosted]
    assert left == ["/runs/live", "/runs/{run_id}/live", "/openings", "/events/live"]


def test_route_that_changes_something_needs_more_than_look() -> None:
    only_asks = {"/plan", "/rehearsals", "/openings"}
    for router in ROUTERS:
        for route in router.routes:
            changes = "POST" in route.methods and route.path not in only_asks  # type: ignore[attr-defined]
            if changes:
                assert permission_of(route) != "look", route  # type: ignore[arg-type]


def test_person_invokes_under_their_own_name() -> None:
    cloud = a_cloud()
    status, answer = ask(a_function(cloud, "invoke"), "POST", f"{API}/runs", body={"task": "y"})
    assert status == 201
    sent = next(json.loads(text) for text in cloud.passed if "InvokeTask" in text)
    assert sent["source"] == "cordyna.client.ana"
    assert sent["detail"]["labels"]["via"] == "console"
    look = a_function(cloud, "look")
    status, head = ask(look, "GET", f"{API}/runs/{answer['run_id']}")
    assert (status, head["state"]) == (200, "running")
    status, facts = ask(look, "GET", f"{API}/runs/{answer['run_id']}/facts")
    assert (status, facts["columns"]["step"]) == (200, [0])


def test_me_tells_the_person_what_their_token_allows() -> None:
    status, me = ask(a_function(a_cloud(), "look"), "GET", f"{API}/me", scope="cordyna/look")
    assert status == 200
    assert me["by"] == "ana"
    assert me["can"] == {"invoke": "no", "operate": "no"}
    assert me["live"] == "poll"


@pytest.mark.parametrize(
    ("permission", "method", "path", "options", "status"),
    [
        ("look", "GET", "/runs", {"subject": None}, 401),
        ("look", "GET", "/runs", {"scope": "openid"}, 403),
        ("look", "GET", "/runs", {"scope": "xcordyna/look cordyna/looks"}, 403),
        ("look", "GET", "/runs", {"sec-fetch-site": "cross-site"}, 403),
        ("look", "GET", "/runs/live", {}, 404),
        ("look", "GET", "/events/live", {}, 404),
        ("look", "POST", "/openings", {"body": {}}, 405),
        ("look", "POST", "/runs", {"body": {"task": "y"}}, 405),
        ("look", "GET", "/dead-letters", {}, 404),
        ("look", "DELETE", "/runs", {}, 405),
        ("invoke", "POST", "/runs", {"body": {"task": "y"}, "scope": "cordyna/look"}, 403),
        ("invoke", "POST", "/runs", {"body": {"task": "y"}, "x-cordyna": "0"}, 403),
        ("invoke", "POST", "/runs", {"body": {"task": "y"}, "content-type": "text/plain"}, 403),
        ("invoke", "POST", "/runs", {"body": {"odd": 1}}, 400),
        ("invoke", "GET", "/runs", {}, 405),
        ("operate", "POST", "/crons/y/pause", {"body": {}, "subject": None}, 401),
        ("operate", "POST", "/crons/y/pause", {"body": {}, "scope": "cordyna/invoke"}, 403),
    ],
)
def test_request_that_is_not_allowed_is_refused(
    permission: Permission, method: str, path: str, options: dict[str, Any], status: int
) -> None:
    cloud = a_cloud()
    before = len(cloud.passed)
    answered, problem = ask(a_function(cloud, permission), method, f"{API}{path}", **options)
    assert answered == status, problem
    assert problem["what"].endswith(".")
    assert len(cloud.passed) == before


def test_page_is_served_without_a_token_and_holds_no_data() -> None:
    look = a_function(a_cloud(), "look")
    for path in ("/", "/runs/X", "/signed-in"):
        answer = look(
            gateway_event("GET", path, subject=None, **{"sec-fetch-site": "cross-site"}), None
        )
        assert answer["statusCode"] == 200
        assert 'name="cordyna-sign-in"' in answer["body"]
        assert "the-client" in answer["body"]
        policy = answer["headers"]["content-security-policy"]
        assert "connect-src 'self' https://login.example.org;" in policy
        assert "unsafe" not in policy
    script = look(gateway_event("GET", "/app/main.js", subject=None), None)
    assert script["headers"]["content-type"].startswith("text/javascript")
    for permission in ("invoke", "operate"):
        status, _ = ask(a_function(a_cloud(), permission), "GET", "/", subject=None)
        assert status == 404


def test_compressed_answer_is_sent_as_base64() -> None:
    look = a_function(a_cloud(), "look")
    answer = look(gateway_event("GET", "/app/main.js", **{"accept-encoding": "gzip"}), None)
    assert answer["isBase64Encoded"]
    assert b"ROUTES" in gzip.decompress(base64.b64decode(answer["body"]))


def test_answer_too_large_for_a_function_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lambda_handlers, "ANSWER_BYTES_MAX", 10)
    status, problem = ask(a_function(a_cloud(), "look"), "GET", f"{API}/tasks")
    assert status == 507
    assert "dyna" in problem["next"]


def test_largest_answer_has_room_in_that_of_a_function() -> None:
    """A function answers 6 MB: the body, escaped as JSON, and its headers."""
    assert 5_000_000 <= lambda_handlers.ANSWER_BYTES_MAX <= 6_000_000 - 100_000


def test_handlers_of_the_functions_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = a_cloud()
    made: list[Permission] = []

    def make(permission: Permission, environ: Any, session: Any) -> Any:
        del session
        made.append(permission)
        sessions: Any = cloud
        return handler_of(permission, ENVIRON | dict(environ), sessions)

    monkeypatch.setattr(lambda_handlers, "handler_of", make)
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(lambda_handlers, "AwsSession", lambda _: cloud)
    lambda_handlers._handler.cache_clear()
    for handler in (lambda_handlers.look, lambda_handlers.look, lambda_handlers.invoke):
        handler(gateway_event("GET", f"{API}/me"), None)
    lambda_handlers.operate(gateway_event("GET", f"{API}/dead-letters"), None)
    lambda_handlers._handler.cache_clear()
    assert made == ["look", "invoke", "operate"]


@pytest.mark.parametrize("wrong", ["{}", '{"client_id": "x"}', "no JSON"])
def test_bad_sign_in_setting_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError):
        SignIn.parse(wrong)


@pytest.mark.parametrize("address", ["http://login.example.org", "https://", "javascript:1"])
def test_sign_in_address_that_is_not_https_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="https"):
        SignIn.parse(json.dumps(SIGN_IN | {"token": address}))


def test_index_holds_a_setting_with_quotes_as_text() -> None:
    environ = ENVIRON | {
        "CORDYNA_CONSOLE_SIGN_IN": json.dumps(SIGN_IN | {"client_id": '"><script>1</script>'})
    }
    session: Any = a_cloud()
    answer = handler_of("look", environ, session)(gateway_event("GET", "/", subject=None), None)
    assert "<script>1" not in answer["body"]


@given(subject=st.text(max_size=300).filter(bool))
@example("a" * 300)
@example("ana@" * 99)
def test_client_name_of_any_subject_is_a_name(subject: str) -> None:
    assert is_name(client_name(subject))


def test_client_names_of_different_subjects_differ() -> None:
    assert client_name("ana") == "ana"
    mail = client_name("ana@example.org")
    assert mail.startswith("ana-example.org-")
    # A subject that was chosen to look like the name of another one is given a digest, too.
    assert client_name(mail) != mail
    assert len({client_name(one) for one in ("a b", "a-b", "a_b", "a  b", "A b", mail)}) == 6


def test_scopes_are_whole_words_behind_their_prefix() -> None:
    claims = {"sub": "ana", "scp": "api://c/look api://c/invoked"}
    person = person_of(claims, name_claim="sub", scope_prefix="api://c/")
    assert person is not None
    assert person.permissions == {"look"}
    assert person_of({"scope": ALL}, name_claim="sub", scope_prefix="cordyna/") is None


def test_handlers_need_only_what_their_lock_file_has() -> None:
    """The folder of the functions has no web server, no terminal, and nothing of an engine."""
    code = (
        "import sys\n"
        "for name in ('typer', 'rich', 'uvicorn', 'cerebro', 'networkx', 'jsonschema'):\n"
        "    sys.modules[name] = None\n"
        "from cordyna_console.hosted import lambda_handlers\n"
        "print(lambda_handlers.look.__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "look\n"), done.stderr
