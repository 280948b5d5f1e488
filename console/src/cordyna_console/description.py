"""Description: the OpenAPI document of an application, with its errors as they are answered.

Invariant: every answer with a status of 400 or above is a problem document.
"""

from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI

from cordyna_console.problems import MEDIA_TYPE
from cordyna_console.routes.shared import PERMISSION

_NOT_SENT: Final = str(HTTPStatus.UNPROCESSABLE_ENTITY.value)
"""FastAPI describes it for every address; a request that cannot be read is answered with 400."""

_SCHEMAS_NOT_SENT: Final = ("HTTPValidationError", "ValidationError")


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document."""
    document = app.openapi()
    for methods in document["paths"].values():
        for operation in methods.values():
            operation.setdefault(PERMISSION, "look")
            responses = operation["responses"]
            responses.pop(_NOT_SENT, None)
            for status, response in responses.items():
                if (
                    int(status) >= HTTPStatus.BAD_REQUEST
                    and "application/json" in response["content"]
                ):
                    response["content"] = {MEDIA_TYPE: response["content"]["application/json"]}
    for name in _SCHEMAS_NOT_SENT:
        document["components"]["schemas"].pop(name, None)
    return document
