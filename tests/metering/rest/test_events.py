"""The lists of events and of refusals over HTTP: whose rows, which of them, page by page."""

from typing import Any

import pytest
import time_machine
from django.test import Client

from metering.accounts import find_account
from metering.invariants import check
from metering.keys import issue_key
from tests.metering.makers import NOON, make_account, make_events, make_meter
from tests.metering.senders import EVENT, Sender, is_problem, make_ground

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def noon(db):
    with time_machine.travel(NOON, tick=False):
        yield
    assert list(check()) == []


@pytest.fixture
def reader() -> str:
    return issue_key(name="reader", scopes=["events:read"], at=NOON).secret


def read(secret: str, path: str = "events", **query: Any) -> Any:
    return Client().get(f"/api/v1/{path}", query, HTTP_AUTHORIZATION=f"Bearer {secret}")


def list_ids(secret: str, **query: Any) -> list[str]:
    return [event["id"] for event in read(secret, **query).json()["events"]]


def test_events_are_listed_with_their_fates(reader):
    make_account(), make_meter()
    make_events(1, bytes=1), make_events(1, first=2, subject="nobody")
    second, first = read(reader).json()["events"]
    assert (first["id"], first["fate"], first["account"], first["data"]) == ("1", "counted", "acme", {"bytes": 1})
    assert first["meters"] == [
        {
            "meter": "requests",
            "unit": "request",
            "aggregation": "count",
            "value": "1",
            "dimensions": {},
            "period": None,
            "is_late": False,
        }
    ]
    assert (second["fate"], second["account"]) == ("unmatched", None)


def test_conditions_narrow_the_list(reader):
    make_account(aliases=["shop"]), make_account("globex"), make_meter()
    make_events(1), make_events(1, first=2, subject="globex"), make_events(1, first=3, subject="nobody")
    assert list_ids(reader, account="shop") == ["1"]
    assert list_ids(reader, fate="unmatched") == ["3"]
    assert list_ids(reader, source="test", id="2") == ["2"]
    assert list_ids(reader, type="other") == []
    assert list_ids(reader, subject="globex") == ["2"]
    assert list_ids(reader, text="GLOB") == ["2"]
    assert list_ids(reader, end="2026-11-10T12:00:00Z") == []
    assert list_ids(reader, start="2026-11-10T13:00:00+01:00", limit=2) == ["3", "2"]


def test_pages_follow_by_next(reader):
    make_account(), make_meter(), make_events(5)
    seen, after = [], ""
    for _ in range(3):
        body = read(reader, limit=2, after=after).json()
        seen += [event["id"] for event in body["events"]]
        after = body["next"]
    assert (seen, after) == (["5", "4", "3", "2", "1"], None)


@pytest.mark.parametrize(
    "query",
    [
        {"fate": "other"},
        {"limit": 0},
        {"limit": 201},
        {"after": "x"},
        {"after": "W10"},
        {"after": "é"},
        {"after": "WyIwMDAxLTAxLTAxVDAwOjAwOjAwWiIsImEiLCJiIl0"},
        {"after": "WyIyMDI2LTAxLTAxVDAwOjAwOjAwWiIsIlx1MDAwMCIsImIiXQ"},
        {"start": "yesterday"},
        {"start": "0001-01-01T00:00:00Z", "end": "9999-01-01T00:00:00Z"},
        {"end": "0001-01-01T00:00:00Z"},
        {"start": "2026-11-10T12:00:00Z", "end": "2026-11-10T12:00:00Z"},
    ],
)
def test_a_broken_query_is_refused(reader, query):
    assert is_problem(read(reader, **query), 400, "invalid")


@pytest.mark.parametrize("path", ["events", "rejected"])
def test_lists_need_a_key_with_the_scope_and_an_account_that_is_there(reader, path):
    writer = issue_key(name="writer", scopes=["events:write"], at=NOON).secret
    assert is_problem(read("none", path), 401, "invalid_key")
    assert is_problem(read(writer, path), 403, "missing_scope")
    assert is_problem(read(reader, path, account="nobody"), 404, "unknown_account")


def test_refusals_are_listed_with_what_was_sent(client: Client, reader):
    send = Sender(client, make_ground())
    send([EVENT | {"id": "2", "type": "other"}, EVENT | {"id": "3", "subject": ""}])
    body = read(reader, "rejected", code="unknown_type").json()
    [row] = body["rejected"]
    assert (row["key"], row["event"], row["code"]) == ("integrator", {"source": "shop", "id": "2"}, "unknown_type")
    assert row["body"] == '{"id": "2", "source": "shop", "type": "other", "subject": "acme"}'
    assert (row["times"], row["received_at"], row["replay_fate"]) == (1, "2026-11-10T12:00:00Z", "")
    first = read(reader, "rejected", limit=1).json()
    second = read(reader, "rejected", limit=1, after=first["next"]).json()
    assert {row["event"]["id"] for row in first["rejected"] + second["rejected"]} == {"2", "3"}
    assert second["next"] is None


def test_a_key_of_an_account_lists_its_own(client: Client, reader):
    """The vendor's key, the account's own, and one of another account."""
    send = Sender(client, make_ground())
    acme, globex = find_account("acme"), make_account("globex")
    send([EVENT, EVENT | {"id": "2", "type": "other"}])
    make_events(1, first=3, subject="globex")
    scopes = ["events:read", "events:write"]
    own, other = (
        issue_key(name=account.key, scopes=scopes, at=NOON, account_id=account.id).secret for account in (acme, globex)
    )
    Sender(client, own)(EVENT | {"id": "4", "type": "other"})
    assert sorted(list_ids(reader)) == ["1", "3"]
    assert list_ids(reader, account="acme") == list_ids(own) == list_ids(own, account="acme") == ["1"]
    assert list_ids(other) == ["3"]
    assert [row["event"]["id"] for row in read(own, "rejected").json()["rejected"]] == ["4"]
    assert read(other, "rejected").json()["rejected"] == []
    assert len(read(reader, "rejected").json()["rejected"]) == 2
    assert is_problem(read(other, account="acme"), 404, "unknown_account")
    assert is_problem(read(other, "rejected", account="acme"), 404, "unknown_account")


def test_only_reading_and_sending_are_known_at_the_address(reader):
    answer = Client().put("/api/v1/events", HTTP_AUTHORIZATION=f"Bearer {reader}")
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD, POST")


def test_the_description_has_both_ways(client: Client):
    paths = client.get("/api/schema/").json()["paths"]
    assert set(paths["/api/v1/events"]) == {"get", "post"}
    assert paths["/api/v1/events"]["get"]["operationId"] == "events_list"
    assert "/api/v1/events/{source}/{id}" in paths
    assert set(paths["/api/v1/events/lookup"]) == {"get"}
    names = {parameter["name"] for parameter in paths["/api/v1/events"]["get"]["parameters"]}
    assert {"account", "type", "subject", "fate", "start", "end", "text", "limit", "after"} <= names
