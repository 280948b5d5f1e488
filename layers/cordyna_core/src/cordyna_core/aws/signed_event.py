"""Signed events: PutEvents requests for a process that has neither botocore nor credentials.

Invariant: a request goes where the process's own client of EventBridge sends, with the credentials
of now; it is valid for 5 minutes (AWS Signature Version 4).
"""

import json
from collections.abc import Callable
from typing import Any, Final, TypedDict

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import NoCredentialsError
from botocore.httpsession import get_cert_path

from cordyna_core.aws.eventbridge import Entry

_HEADERS: Final = {
    "Content-Type": "application/x-amz-json-1.1",
    "X-Amz-Target": "AWSEvents.PutEvents",
}


class SignedRequest(TypedDict):
    """An HTTP POST. `ca_file` names the certificates that its server is verified by."""

    url: str
    headers: dict[str, str]
    body: str
    ca_file: str


def event_signer(client: Any, session: Any) -> Callable[[Entry], SignedRequest]:
    """Return what signs an entry, for the endpoint of `client`, a client of `session`.

    It raises NoCredentialsError, and what botocore raises when it refreshes credentials.
    """
    ca_file = str(session.get_config_variable("ca_bundle") or get_cert_path(verify=True))

    def sign(entry: Entry) -> SignedRequest:
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        body = json.dumps({"Entries": [entry]})
        request = AWSRequest("POST", client.meta.endpoint_url, headers=_HEADERS, data=body)
        signer = SigV4Auth(credentials.get_frozen_credentials(), "events", client.meta.region_name)
        signer.add_auth(request)
        prepared = request.prepare()
        return SignedRequest(
            url=prepared.url, headers=dict(prepared.headers), body=body, ca_file=ca_file
        )

    return sign
