"""Sign-in: where people of a hosted console sign in, and how the page learns of it."""

import json
from html import escape
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, field_validator

from cordyna_console.assets import INDEX, PageAsset, content_security_policy, page_asset

META_NAME = "cordyna-sign-in"


class SignIn(BaseModel):
    """An OpenID Connect provider with the authorization code flow and PKCE.

    `name_claim`: the claim of an access token that names a person. `scope_prefix`: what the
    provider writes before `look`, `invoke` and `operate`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    client_id: str
    authorize: str
    token: str
    name_claim: str = "sub"
    scope_prefix: str = "cordyna/"

    @field_validator("authorize", "token")
    @classmethod
    def _is_https(cls, address: str) -> str:
        if urlsplit(address).scheme != "https" or not urlsplit(address).hostname:
            raise ValueError("must be an https address")
        return address

    @classmethod
    def parse(cls, text: str) -> Self:
        """From JSON. Raises ValidationError."""
        return cls.model_validate_json(text)


def index_with(sign_in: SignIn, index: PageAsset) -> PageAsset:
    """Return the first file of the page with a `<meta>` of what a browser needs to sign in."""
    content = json.dumps(
        sign_in.model_dump(include={"client_id", "authorize", "token", "scope_prefix"})
    )
    meta = f'<meta name="{META_NAME}" content="{escape(content)}">\n</head>'
    return page_asset(INDEX, index.content.replace(b"</head>", meta.encode(), 1))


def policy_with(sign_in: SignIn, index: PageAsset) -> str:
    """Return the policy of the page, which may also ask the provider for tokens."""
    token = urlsplit(sign_in.token)
    return content_security_policy(index.content, connect_to=(f"{token.scheme}://{token.netloc}",))
