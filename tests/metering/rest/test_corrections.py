import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from metering.invariants import check
from metering.keys import issue_key
from metering.models import Correction, Event, HourlyRollup, Pruning
from metering.rest.documentation import build_schema
from tests.metering.makers import make_account, make_events, make_key, make_meter

pytestmark = pytest.mark.django_db

URL = "/api/v1/corrections"
NAME = {"source": "test", "id": "1"}
SENT = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
WINDOW = {"start": (SENT - timedelta(hours=1)).isoformat(), "end": (SENT + timedelta(hours=1)).isoformat()}


class Api:
    """Posts and reads with a key."""

    def __init__(self, client: Client, secret: str) -> None:
        self.client, self.header = client, f"Bearer {secret}"

    def post(self, body: Any) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body)
        return self.client.post(URL, data, "application/json", HTTP_AUTHORIZATION=self.header)

    def get(self, **query: Any) -> Any:
        return self.client.get(URL, query, HTTP_AUTHORIZATION=self.header)


@pytest.fixture
def api(client: Client) -> Api:
    make_account(aliases=["shop"]), make_meter("bytes", value="bytes", event_type="request")
    key = issue_key(name="boss", scopes=["events:correct", "events:write"], at=SENT)
    make_events(3, time=SENT, bytes=5)
    return Api(client, key.secret)


def read_total() -> int:
    return int(HourlyRollup.objects.get().total)


def is_problem(response: Any, status: int, code: str) -> bool:
    assert (response.status_code, response.json()["code"]) == (status, code), response.content
    assert response["Content-Type"] == "application/problem+json"
    return True


def test_an_event_is_retracted_and_the_ledger_says_so(api: Api):
    response = api.post({"retract": NAME, "reason": "a test"})
    assert response.status_code == 200, response.content
    body = response.json()
    assert (body["event_count"], body["dry_run"], body["replacement"]) == (1, False, None)
    assert body["sample"][0] | {"received_at": ""} == {
        "source": "test", "id": "1", "type": "request", "subject": "acme",
        "time": SENT.isoformat().replace("+00:00", "Z"), "received_at": "",
    }  # fmt: skip
    [change] = body["changes"]
    assert (change["account"], change["meter"], change["before"], change["after"]) == ("acme", "bytes", "15", "10")
    assert read_total() == 10
    [row] = api.get().json()["corrections"]
    assert (row["source"], row["id"], row["account"], row["kind"], row["reason"], row["made_by"]) == (
        "test", "1", "acme", "retract", "a test", "key boss",
    )  # fmt: skip
    assert api.post({"retract": NAME, "reason": "again"}).json()["event_count"] == 0
    assert list(check()) == []


def test_an_event_is_replaced(api: Api):
    event = {"source": "test", "id": "1b", "type": "request", "subject": "shop", "data": {"bytes": 0.5}}
    body = {"replace": NAME, "event": event, "reason": "half a byte"}
    response = api.post(body)
    assert response.status_code == 200, response.content
    assert response.json()["replacement"] == {"source": "test", "id": "1b", "fate": "accepted"}
    assert response.json()["changes"][0]["after"] == "10.5"
    assert api.post(body).json()["replacement"]["fate"] == "duplicate"
    stored = Event.objects.get(event_id="1b")
    assert (stored.happened_at, stored.api_key_id is not None) == (SENT, True)
    assert list(check()) == []


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"id": "2"}, "event.id", "conflict"),
        ({"type": "nothing"}, "event.type", "unknown_type"),
        ({"time": "2001-01-01T00:00:00Z"}, "event.time", "time_too_old"),
        ({"time": "yesterday"}, "event.time", "invalid"),
        ({"id": ""}, "event.id", "blank"),
        ({"data": [1]}, "event.data", "not_a_dict"),
        ({"data": json.loads('{"x":' * 40 + "1" + "}" * 40)}, "event.data", "invalid"),
    ],
)
def test_a_replacement_that_cannot_be_stored_is_told_by_its_field(api: Api, changes, field, code):
    event = {"source": "test", "id": "1b", "type": "request", "subject": "shop", "data": {"bytes": 9}} | changes
    response = api.post({"replace": NAME, "event": event, "reason": "wrong"})
    assert is_problem(response, 400, "invalid")
    assert [(each["field"], each["code"]) for each in response.json()["errors"]] == [(field, code)]
    assert read_total() == 15


def test_a_filter_is_a_dry_run_first(api: Api):
    wanted = {"retract_matching": WINDOW | {"account": "shop", "type": "request"}, "reason": "a test"}
    body = api.post(wanted).json()
    assert (body["event_count"], body["dry_run"], len(body["sample"])) == (3, True, 3)
    assert read_total() == 15

    response = api.post(wanted | {"dry_run": False})
    assert is_problem(response, 400, "invalid")
    assert is_problem(api.post(wanted | {"dry_run": False, "expected_count": 2}), 409, "count_changed")
    assert read_total() == 15

    body = api.post(wanted | {"dry_run": False, "expected_count": 3}).json()
    assert (body["event_count"], body["dry_run"]) == (3, False)
    assert not HourlyRollup.objects.exists()
    assert Correction.objects.count() == 3
    assert list(check()) == []


def test_a_filter_by_key_takes_what_that_key_sent(api: Api):
    event = {"source": "test", "id": "9", "type": "request", "subject": "acme", "time": SENT.isoformat()}
    api.client.post("/api/v1/events", json.dumps(event), "application/json", HTTP_AUTHORIZATION=api.header)
    prefix = api.header.split("_")[1]
    body = api.post({"retract_matching": WINDOW | {"key": prefix}, "reason": "x"}).json()
    assert [each["id"] for each in body["sample"]] == ["9"]
    response = api.post({"retract_matching": WINDOW | {"key": "nobody"}, "reason": "x"})
    assert response.json()["errors"][0]["code"] == "unknown_key"


@pytest.mark.parametrize(
    "body",
    [
        {}, [], "retract", None, {"reason": "x"}, {"retract": NAME}, {"retract": NAME, "reason": ""},
        {"retract": NAME, "replace": NAME, "reason": "x"}, {"retract": {"source": "test"}, "reason": "x"},
        {"retract": "1", "reason": "x"}, {"retract": NAME, "reason": "x" * 401}, {"replace": NAME, "reason": "x"},
        {"retract": {"source": "te\0st", "id": "1"}, "reason": "x"},
        {"retract_matching": {"start": WINDOW["start"]}, "reason": "x"},
        {"retract_matching": WINDOW | {"account": 7}, "reason": ""},
    ],
)  # fmt: skip
def test_what_is_no_correction_is_refused(api: Api, body):
    assert is_problem(api.post(body), 400, "invalid")


def test_refusals_have_their_codes(api: Api):
    assert is_problem(api.post({"retract": NAME | {"id": "99"}, "reason": "x"}), 404, "unknown_event")
    event = {"source": "test", "id": "1b", "type": "request", "subject": "acme"}
    api.post({"retract": NAME, "reason": "x"})
    assert is_problem(api.post({"replace": NAME, "event": event, "reason": "x"}), 409, "already_corrected")
    backwards = {"start": WINDOW["end"], "end": WINDOW["start"]}
    assert is_problem(api.post({"retract_matching": backwards, "reason": "x"}), 400, "invalid_filter")
    nobody = WINDOW | {"account": "nobody"}
    assert is_problem(api.post({"retract_matching": nobody, "reason": "x"}), 404, "unknown_account")
    Pruning.objects.create(month="2026-01-01", event_count=1, kept_after=SENT, pruned_at=SENT)
    assert is_problem(api.post({"retract": NAME | {"id": "2"}, "reason": "x"}), 409, "history_pruned")


def test_the_scope_is_asked_for(client: Client, api: Api):
    api = Api(client, make_key(at=SENT).secret)
    assert is_problem(api.post({"retract": NAME, "reason": "x"}), 403, "missing_scope")
    assert is_problem(api.get(), 403, "missing_scope")


def test_an_accounts_key_knows_its_own_alone(api: Api):
    other = make_account("other")
    make_events(1, first=50, subject="other", time=SENT, bytes=1)
    api.post({"retract": NAME, "reason": "x"})
    key = issue_key(name="other's", scopes=["events:correct"], at=SENT, account_id=other.id)
    api = Api(api.client, key.secret)
    assert is_problem(api.post({"retract": NAME | {"id": "2"}, "reason": "x"}), 404, "unknown_event")
    assert is_problem(api.get(account="acme"), 404, "unknown_account")
    assert api.get().json() == {"corrections": [], "next": None}
    body = api.post({"retract_matching": WINDOW, "reason": "x", "dry_run": False, "expected_count": 1}).json()
    assert [each["id"] for each in body["sample"]] == ["50"]
    event = {"source": "test", "id": "2b", "type": "request", "subject": "acme"}
    assert is_problem(
        api.post({"replace": NAME | {"id": "50"}, "event": event, "reason": "x"}), 409, "already_corrected"
    )
    assert len(api.get(account="other").json()["corrections"]) == 1
    make_events(1, first=51, subject="other", time=SENT, bytes=1)
    response = api.post({"replace": NAME | {"id": "51"}, "event": event, "reason": "x"})
    assert response.json()["errors"][0] | {"message": ""} == {
        "field": "event.subject", "code": "unknown_account", "message": "",
    }  # fmt: skip


def test_the_ledger_comes_in_pages(api: Api):
    for number in "123":
        api.post({"retract": NAME | {"id": number}, "reason": "x"})
    first = api.get(limit=2).json()
    second = api.get(limit=2, before=first["next"]).json()
    assert [row["id"] for row in first["corrections"] + second["corrections"]] == ["3", "2", "1"]
    assert second["next"] is None
    assert [row["id"] for row in api.get(source="test", id="2").json()["corrections"]] == ["2"]
    assert is_problem(api.get(limit=0), 400, "invalid")


def test_it_is_described_with_an_example_of_each_way():
    post = build_schema()["paths"][URL]["post"]
    examples = post["requestBody"]["content"]["application/json"]["examples"]
    assert [next(iter(each["value"])) for each in examples.values()] == [
        "retract", "replace", "retract_matching", "retract_matching",
    ]  # fmt: skip
    assert {"200", "400", "401", "403", "404", "409", "413", "415", "503"} <= set(post["responses"])
