import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from metering.keys import issue_key, revoke_key
from metering.models import ApiKey, Event, HourlyRollup
from tests.metering.makers import make_account, make_key, make_meter

pytestmark = pytest.mark.django_db

URL = "/api/v1/events"
EVENT = {"id": "1", "source": "shop", "type": "request", "subject": "acme"}


@pytest.fixture
def send(client: Client) -> Any:
    make_account()
    make_meter()
    secret = make_key(at=timezone.now()).secret

    def post(body: Any, *, content_type: str = "application/json", key: str | None = secret, **headers: Any) -> Any:
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        if key is not None:
            headers.setdefault("HTTP_AUTHORIZATION", f"Bearer {key}")
        return client.post(URL, data, content_type=content_type, **headers)

    return post


def is_problem(response: Any, status: int, code: str) -> bool:
    body = response.json()
    return (response.status_code, response["Content-Type"], body["status"], body["code"]) == (
        status,
        "application/problem+json",
        status,
        code,
    )


def test_a_list_of_events_is_answered_row_by_row(send):
    response = send([EVENT, EVENT | {"id": "2", "subject": "nobody"}, EVENT | {"id": "3", "type": "other"}, EVENT, 5])
    assert response.status_code == 200
    body = response.json()
    assert [row["fate"] for row in body["results"]] == ["accepted", "unmatched", "rejected", "duplicate", "rejected"]
    assert body["results"][0] == {
        "source": "shop",
        "id": "1",
        "fate": "accepted",
        "code": "",
        "field": "",
        "message": "",
    }
    assert body["results"][2]["code"] == "unknown_type"
    assert body["results"][2]["message"] == "No meter counts this type; known are: request."
    assert body["counts"] == {
        "accepted": 1,
        "duplicate": 1,
        "conflict": 0,
        "rejected": 2,
        "unmatched": 1,
        "late": 0,
    }
    assert Event.objects.count() == 2
    assert Event.objects.get(event_id="1").api_key_id == ApiKey.objects.get().pk


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/cloudevents+json", "application/json; charset=UTF-8"],
)
def test_one_event_alone_is_taken(send, content_type):
    response = send(EVENT | {"specversion": "1.0", "data": {"a": 1}}, content_type=content_type)
    assert response.json()["counts"]["accepted"] == 1
