"""What an API answers when it cannot do what was asked: RFC 9457, `application/problem+json`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from django.http import HttpResponse


class Problem(Exception):
    """Stops a request. `code` is for machines and never changes, `detail` is for people.

    `extensions` are members of the answer beside those that RFC 9457 names; `headers` are spelt with `_` for `-`.
    """

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        *,
        extensions: Mapping[str, Any] | None = None,
        **headers: str,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.extensions = dict(extensions or {})
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def response(self) -> HttpResponse:
        body = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": int(self.status),
            "code": self.code,
            "detail": self.detail,
        }
        return HttpResponse(
            msgspec.json.encode(body | self.extensions),
            status=int(self.status),
            content_type="application/problem+json",
            headers=self.headers,
        )
