"""Person: who asks a hosted console, from the claims of a token that API Gateway has verified.

Invariant: two subjects never have the same client name, so what a person did is told apart on the
bus. What a person may do is what the scopes of the token say.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cordyna_console.routes.shared import Permission
from cordyna_core.contract.ids import is_name

PERMISSIONS: Final[tuple[Permission, ...]] = ("look", "invoke", "operate")
READABLE_CHARACTERS_MAX: Final = 100
DIGEST_CHARACTERS: Final = 10
_ENDS_LIKE_A_DIGEST: Final = re.compile(rf"-[0-9a-f]{{{DIGEST_CHARACTERS}}}$")


@dataclass(frozen=True, slots=True)
class Person:
    """A signed-in person: the name of their client, and what they may do."""

    name: str
    permissions: frozenset[Permission]


def person_of(claims: Mapping[str, str], *, name_claim: str, scope_prefix: str) -> Person | None:
    """Return the person of verified claims; None where the claim that names people is missing."""
    subject = claims.get(name_claim, "")
    if not subject:
        return None
    scopes = set((claims.get("scope") or claims.get("scp") or "").split())
    granted = frozenset(word for word in PERMISSIONS if f"{scope_prefix}{word}" in scopes)
    return Person(client_name(subject), granted)


def client_name(subject: str) -> str:
    """Return the subject where it is a name; else its readable part with a digest of the whole."""
    if is_name(subject) and not _ENDS_LIKE_A_DIGEST.search(subject):
        return subject
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", subject).strip("._-")[:READABLE_CHARACTERS_MAX]
    digest = hashlib.sha256(subject.encode()).hexdigest()[:DIGEST_CHARACTERS]
    return f"{readable or 'person'}-{digest}"
