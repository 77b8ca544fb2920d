"""A known key that is refused keeps its connection, under gunicorn, which drops one with much of a body unread."""

import json
from http.client import HTTPConnection
from typing import Any

import pytest
from django.utils import timezone

from metering.keys import issue_key
from tests.metering.senders import EVENT, URL, make_ground
from tests.metering.servers import run_gunicorn


@pytest.mark.django_db(transaction=True)
def test_a_long_body_that_is_refused_leaves_the_connection_good():
    good = make_ground()
    poor = issue_key(name="poor", scopes=["usage:read"], at=timezone.now()).secret
    slow = issue_key(name="slow", scopes=["events:write"], at=timezone.now(), rate_per_second=1).secret
    long = [EVENT | {"id": str(number), "data": {"text": "x" * 1_000}} for number in range(300)]
    with run_gunicorn() as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=20)
        connection.auto_open = 0  # a second connection would hide the loss of the first
        connection.connect()
        statuses = [post(connection, long, key) for key in (slow, slow, good, poor, good)]
        connection.close()
    assert statuses == [200, 429, 200, 403, 200]


def post(connection: HTTPConnection, rows: list[dict[str, Any]], secret: str) -> int:
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    connection.request("POST", URL, json.dumps(rows), headers)
    response = connection.getresponse()
    response.read()
    return response.status
