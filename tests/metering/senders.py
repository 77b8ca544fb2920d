"""Who posts events to the API in tests, and how an answer is looked at."""

import json
from typing import Any

from django.test import Client
from django.utils import timezone

from tests.metering.makers import make_account, make_key, make_meter

URL = "/api/v1/events"
EVENT = {"id": "1", "source": "shop", "type": "request", "subject": "acme"}


def make_ground() -> str:
    """An account, a meter that counts its requests, and a key, whose secret is returned."""
    make_account(), make_meter()
    return make_key(at=timezone.now()).secret


class Sender:
    """Posts with its key; what is no text is sent as JSON."""

    def __init__(self, client: Client, secret: str) -> None:
        self.client, self.secret = client, secret

    def __call__(
        self, body: Any, *, content_type: str = "application/json", key: str | None = "", **headers: Any
    ) -> Any:
        """`key` is another key to send; None sends none."""
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        if key is not None:
            headers.setdefault("HTTP_AUTHORIZATION", f"Bearer {key or self.secret}")
        return self.client.post(URL, data, content_type=content_type, **headers)


def is_problem(response: Any, status: int, code: str) -> bool:
    body = response.json()
    return (response.status_code, response["Content-Type"], body["status"], body["code"]) == (
        status,
        "application/problem+json",
        status,
        code,
    )


def list_fates(response: Any) -> list[str]:
    return [row["fate"] for row in response.json()["results"]]
