"""The fate of one event over HTTP, with the line that bills it."""

import json
from contextlib import closing
from datetime import timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from metering.events import UsageEvent
from metering.ingest import ingest_events
from metering.keys import issue_key
from metering.models import Correction
from portal.rest.events import read_raw_names
from tests.metering.makers import make_event
from tests.metering.servers import run_gunicorn
from tests.portal import makers

SEPTEMBER, NOVEMBER, NOV_10 = makers.SEPTEMBER, makers.NOVEMBER, makers.NOV_10
OCTOBER = NOVEMBER - timedelta(days=31)
STRANGE = ["https://shop.example/a b?c=d#e%2F", "urn:ü:☃", 'a"b', "/", "..", "a/"]


def read(source: str, event_id: str, *, client: Client | None = None, **lookup: Any) -> Any:
    secret = issue_key(name="reader", scopes=["events:read"], at=SEPTEMBER).secret
    path = f"/api/v1/events/{quote(source, safe='')}/{quote(event_id, safe='')}"
    return (client or Client()).get(path, RAW_URI=path, HTTP_AUTHORIZATION=f"Bearer {secret}", **lookup)


@pytest.mark.django_db
def test_a_billed_event_tells_its_line():
    account = makers.make_account()
    makers.subscribe(account, started_at=OCTOBER, at=OCTOBER)
    october = NOVEMBER - timedelta(days=5)
    ingest_events([make_event("1", time=october, source="shop", bytes=1.5)], at=october)
    [invoice] = makers.issue_invoices(account)
    ingest_events([make_event("2", time=october, source="shop")], at=NOV_10 + timedelta(days=1))
    ingest_events([make_event("3", time=NOV_10, source="shop")], at=NOV_10)
    body = read("shop", "1").json()
    assert (body["fate"], body["account"], body["time"]) == ("counted", "acme", "2026-10-27T00:00:00Z")
    assert body["data"] == {"bytes": 1.5}
    [meter] = body["meters"]
    assert (meter["meter"], meter["value"], meter["is_late"]) == ("requests", "1", False)
    assert meter["period"]["end"] == "2026-11-01T00:00:00Z"
    assert meter["period"]["closed_at"] is not None
    assert meter["invoice_line"] == {
        "invoice": invoice.number,
        "line": 2,
        "description": "Requests",
        "period_start": "2026-10-01T00:00:00Z",
        "period_end": "2026-11-01T00:00:00Z",
        "issued_at": "2026-11-10T12:00:00Z",
        "is_billed": True,
    }
    late = read("shop", "2").json()
    assert (late["fate"], late["meters"][0]["invoice_line"]["is_billed"]) == ("late", False)
    open_one = read("shop", "3").json()
    assert (open_one["fate"], open_one["meters"][0]["invoice_line"]) == ("counted", None)
    Correction.objects.create(
        source="shop", event_id="1", kind="retract", reason="a test run", made_by="eve", made_at=NOV_10
    )
    corrected = read("shop", "1").json()
    assert (corrected["fate"], corrected["correction"]["reason"]) == ("retracted", "a test run")
    assert corrected["meters"][0]["invoice_line"]["is_billed"]


@pytest.mark.django_db
def test_stored_numbers_keep_their_digits():
    makers.make_account(), makers.make_meters()
    event = UsageEvent("test", "1", "request", "acme", NOV_10, b'{"a": 0.10000000000000000001}')
    ingest_events([event], at=NOV_10)
    assert b'"data":{"a": 0.10000000000000000001}' in read("test", "1").content


@pytest.mark.django_db
def test_no_key_no_scope_and_no_event_are_told_apart(client: Client):
    makers.make_account()
    assert client.get("/api/v1/events/a/b").status_code == 401
    writer = issue_key(name="writer", scopes=["events:write"], at=SEPTEMBER).secret
    assert client.get("/api/v1/events/a/b", HTTP_AUTHORIZATION=f"Bearer {writer}").status_code == 403
    unknown = read("a", "b")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_event")
    assert unknown["Content-Type"] == "application/problem+json"


@pytest.mark.django_db
def test_a_key_of_an_account_finds_its_own_events_alone():
    """The vendor's key, the account's own, and one of another account."""
    acme, globex = makers.make_account(), makers.make_account("globex")
    makers.make_meters()
    ingest_events([make_event("1", time=NOV_10)], at=NOV_10)
    own, other = (
        issue_key(name=account.key, scopes=["events:read"], at=SEPTEMBER, account_id=account.id).secret
        for account in (acme, globex)
    )
    assert read("test", "1").status_code == 200
    for secret, status in ((own, 200), (other, 404)):
        answer = Client().get("/api/v1/events/test/1", HTTP_AUTHORIZATION=f"Bearer {secret}")
        assert answer.status_code == status


@pytest.mark.django_db
@pytest.mark.parametrize("name", STRANGE)
def test_any_name_can_be_asked_for_in_the_path_and_by_parameters(name):
    makers.make_account(), makers.make_meters()
    ingest_events([make_event(name, source="shop", time=NOV_10), make_event("1", source=name, time=NOV_10)], at=NOV_10)
    assert read("shop", name).json()["id"] == name
    assert read(name, "1").json()["source"] == name
    secret = issue_key(name="reader", scopes=["events:read"], at=SEPTEMBER).secret
    found = Client().get("/api/v1/events/lookup", {"source": "shop", "id": name}, HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert found.json()["id"] == name


@pytest.mark.django_db
def test_without_the_raw_path_the_last_slash_parts_source_and_id():
    makers.make_account(), makers.make_meters()
    ingest_events([make_event("1", source="https://shop.example/a", time=NOV_10)], at=NOV_10)
    secret = issue_key(name="reader", scopes=["events:read"], at=SEPTEMBER).secret
    found = Client().get("/api/v1/events/https://shop.example/a/1", HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert found.json()["source"] == "https://shop.example/a"


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        ("/api/v1/events/a%2Fb/c%3F?x=/y", ("a/b", "c?")),
        ("http://host/api/v1/events/a/b", ("a", "b")),
        ("/prefix/api/v1/events/a/%FF", ("a", "\ufffd")),
        ("/api/v1/events/a/b/c", None),
        ("/api/v1/events/a/", None),
        ("", None),
    ],
)
def test_the_raw_path_is_read_where_it_has_two_parts(raw, names):
    assert read_raw_names({"RAW_URI": raw}) == names
    assert read_raw_names({"REQUEST_URI": raw}) == names


@pytest.mark.django_db(transaction=True)
def test_names_with_slashes_survive_the_real_server():
    makers.make_account(), makers.make_meters()
    ingest_events([make_event(name, source="https://shop/x", time=NOV_10) for name in STRANGE], at=NOV_10)
    secret = issue_key(name="reader", scopes=["events:read"], at=SEPTEMBER).secret
    with run_gunicorn() as port, closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        for name in STRANGE:
            path = f"/api/v1/events/{quote('https://shop/x', safe='')}/{quote(name, safe='')}"
            connection.request("GET", path, headers={"Authorization": f"Bearer {secret}"})
            answer = connection.getresponse()
            body = json.loads(answer.read())
            assert (answer.status, body.get("id")) == (200, name), body
