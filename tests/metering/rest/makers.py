"""Callers of the API."""

import json
from typing import Any

from django.test import Client
from django.utils import timezone

from metering.keys import SCOPES, issue_key


class Caller:
    """A client that sends JSON with a key of these scopes; the vendor's, or one of a single account."""

    def __init__(self, *scopes: str, account_id: int | None = None) -> None:
        issued = issue_key(name="caller", scopes=scopes or SCOPES, at=timezone.now(), account_id=account_id)
        self.client = Client(raise_request_exception=False)
        self.headers = {"HTTP_AUTHORIZATION": f"Bearer {issued.secret}"}

    def get(self, path: str) -> Any:
        return self.client.get(path, **self.headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        text = b"" if body is None else json.dumps(body)
        return self.client.post(path, text, content_type="application/json", **self.headers, **headers)


def told(response: Any) -> tuple[int, str]:
    """Status and code of a problem document."""
    assert response["Content-Type"] == "application/problem+json", response.content
    body = response.json()
    assert body["status"] == response.status_code
    return response.status_code, body["code"]
