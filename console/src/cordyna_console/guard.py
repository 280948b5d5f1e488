"""Guard: which requests reach the console at all.

Invariant: the checks are made in the order of `CHECKS`, before any route is looked up. A page of
another origin can make none of them pass: it cannot choose Host (DNS rebinding), cannot hide its
Origin, has no cookie (SameSite=Strict) and cannot add the header `X-Cordyna` without being asked
for permission, which is never given.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest
from http.cookies import CookieError, SimpleCookie
from typing import Final

READS: Final = frozenset({"GET", "HEAD"})
CHANGES: Final = frozenset({"POST"})
BODY_BYTES_MAX: Final = 1024 * 1024
API: Final = "/api/"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleAccess:
    """Who may reach the console: its port, and the secrets of this home."""

    port: int
    token: str
    cookie: str

    @property
    def hosts(self) -> frozenset[str]:
        """What `Host` may say."""
        return frozenset({f"127.0.0.1:{self.port}", f"localhost:{self.port}"})

    @property
    def cookie_name(self) -> str:
        """Cookies do not know ports, so the name does."""
        return f"cordyna_console_{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHead:
    """What the guard looks at. `headers`: lower-case names, in the order in which they came."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()

    def all(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for key, value in self.headers if key == name]

    def one(self, name: str) -> str | None:
        """Return the value of a header; None when it is absent or came more than once."""
        values = self.all(name)
        return values[0] if len(values) == 1 else None


@dataclass(frozen=True, slots=True)
class GuardRefusal:
    """Why a request is refused."""

    status: int
    what: str
    why: str
    next: str = "open the address that `dyna open` prints"

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Headers that the answer has beside those of every answer."""
        return (("www-authenticate", "Bearer"),) if self.status == 401 else ()


def refusal(head: RequestHead, access: ConsoleAccess) -> GuardRefusal | None:
    """Return the first reason to refuse a request, or None."""
    return next((refused for check in CHECKS if (refused := check(head, access))), None)


def hosted_refusal(head: RequestHead) -> GuardRefusal | None:
    """Return the first reason to refuse a request behind a gateway, or None.

    The gateway has chosen this console by its name and verified a token.

    There is no cookie, so no other site can make a browser send what identifies a person.
    """
    for check in HOSTED_CHECKS:
        if (refused := check(head)) is not None:
            return refused
    return None


def _target(head: RequestHead, _: ConsoleAccess | None = None) -> GuardRefusal | None:
    if not head.path.startswith("/") or "\\" in head.path or "\0" in head.path:
        return GuardRefusal(
            400, "the address cannot be read.", "a path begins with / and has no \\", "correct it"
        )
    return None


def _host(head: RequestHead, access: ConsoleAccess) -> GuardRefusal | None:
    if head.one("host") not in access.hosts:
        return GuardRefusal(
            421,
            "this console does not answer under that name.",
            f"Host must be 127.0.0.1:{access.port} or localhost:{access.port}, once",
        )
    return None


def _origin(head: RequestHead, access: ConsoleAccess) -> GuardRefusal | None:
    origins = {f"http://{host}" for host in access.hosts}
    if any(origin not in origins for origin in head.all("origin")):
        return GuardRefusal(
            403, "another site may not use this console.", "Origin is not this console"
        )
    return None


def _fetch_site(head: RequestHead, _: ConsoleAccess | None = None) -> GuardRefusal | None:
    if any(site not in ("same-origin", "none") for site in head.all("sec-fetch-site")):
        return GuardRefusal(
            403, "another site may not use this console.", "Sec-Fetch-Site is cross-site"
        )
    return None


def _method(head: RequestHead, _: ConsoleAccess | None = None) -> GuardRefusal | None:
    if head.method not in READS | CHANGES:
        return GuardRefusal(
            405, f"{head.method} is not answered.", "use GET, HEAD or POST", "see the API"
        )
    return None


def _length(head: RequestHead, _: ConsoleAccess | None = None) -> GuardRefusal | None:
    lengths = head.all("content-length")
    if any(not length.isdecimal() or int(length) > BODY_BYTES_MAX for length in lengths):
        return GuardRefusal(
            413, "the body is too large.", f"at most {BODY_BYTES_MAX:,} bytes", "send less"
        )
    return None


def _identity(head: RequestHead, access: ConsoleAccess) -> GuardRefusal | None:
    if not head.path.startswith(API) or _is_known(head, access):
        return None
    if head.one("authorization") is not None:
        return GuardRefusal(
            401,
            "this token is not accepted.",
            "Authorization is not `Bearer` and the token of this console",
            "read `token` in console.json in the home: it is that of the last console",
        )
    return GuardRefusal(
        401,
        "this browser has not opened the console.",
        "the cookie of this console is missing or old, and no token came with the request",
        "run `dyna open` and follow the address that it prints; "
        "a program sends Authorization: Bearer and the token of console.json",
    )


def _is_known(head: RequestHead, access: ConsoleAccess) -> bool:
    bearer = head.one("authorization")
    if bearer is not None:
        return _same(bearer, f"Bearer {access.token}")
    cookies = SimpleCookie()
    try:
        cookies.load("; ".join(head.all("cookie")))
    except CookieError:
        return False
    morsel = cookies.get(access.cookie_name)
    return morsel is not None and _same(morsel.value, access.cookie)


def _same(sent: str, expected: str) -> bool:
    return compare_digest(sent.encode(), expected.encode())


def _intent(head: RequestHead, _: ConsoleAccess | None = None) -> GuardRefusal | None:
    if head.method in READS:
        return None
    if head.one("x-cordyna") != "1":
        return GuardRefusal(
            403,
            "what changes something needs a header.",
            "X-Cordyna: 1 is missing",
            "send X-Cordyna: 1",
        )
    if (head.one("content-type") or "").split(";")[0].strip().lower() != "application/json":
        return GuardRefusal(
            403,
            "what changes something is sent as JSON.",
            "Content-Type is not application/json",
            "send JSON",
        )
    return None


CHECKS: Final[tuple[Callable[[RequestHead, ConsoleAccess], GuardRefusal | None], ...]] = (
    _target, _host, _origin, _fetch_site, _method, _length, _identity, _intent,
)  # fmt: skip


def _fetch_site_of_api(head: RequestHead) -> GuardRefusal | None:
    """A link from another site may lead to the page: the way back from signing in is one."""
    return _fetch_site(head) if head.path.startswith(API) else None


HOSTED_CHECKS: Final[tuple[Callable[[RequestHead], GuardRefusal | None], ...]] = (
    _target, _fetch_site_of_api, _method, _length, _intent,
)  # fmt: skip
