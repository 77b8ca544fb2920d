"""The customer's log of events: who sees it, how it is searched, and what the page of one event tells."""

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from metering.corrections import replace_event, retract_event
from metering.ingest import ingest_events
from metering.meters import create_meter
from metering.models import ApiKey
from metering.rejections import Rejection, keep_rejections
from portal.models import Role
from tests.metering.makers import make_event, make_key
from tests.portal import makers

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("november")]

NOV_10, NOVEMBER = makers.NOV_10, makers.NOVEMBER
OCTOBER = NOVEMBER - timedelta(days=31)
HOUR = timedelta(hours=1)


def send(*ids: str, at=NOV_10, source: str = "shop", subject: str = "acme", **data) -> None:
    ingest_events([make_event(each, source=source, subject=subject, time=at, **data) for each in ids], at=at)


def open_event(client: Client, event_id: str, *, source: str = "shop", key: str = "acme", status: int = 200) -> str:
    answer = client.get(f"/a/{key}/events/event/?{urlencode({'source': source, 'id': event_id})}")
    assert answer.status_code == status
    return makers.squeeze(answer.content.decode())


def test_the_newest_events_stand_first_with_what_they_count_for(owner):
    makers.make_meters()
    send("older-one", at=NOV_10 - HOUR), send("newer-one")
    page = makers.squeeze(makers.read(owner, "/a/acme/events/"))
    assert page.index("newer-one") < page.index("older-one")
    assert "2 events" in page
    assert "Requests: 1 request" in page
    assert "counted" in page


def test_an_empty_log_says_what_will_stand_there(owner):
    assert "No event in the last day" in makers.read(owner, "/a/acme/events/")
    assert "No event is like this" in makers.read(owner, "/a/acme/events/?text=nothing")


def test_a_search_keeps_what_was_asked_and_finds_it(owner):
    makers.make_meters()
    send("a/1?&=é", user="Eve"), send("b"), send("old", at=NOV_10 - timedelta(days=3))
    page = makers.read(owner, "/a/acme/events/?text=eve")
    assert 'value="eve"' in page
    assert "a/1?&amp;=é" in page
    assert ">b</a>" not in page
    assert "?source=shop&amp;id=a%2F1%3F%26%3D%C3%A9" in page
    assert "old" in makers.read(owner, "/a/acme/events/?source=shop&event_id=old")
    assert "old" in makers.read(owner, "/a/acme/events/?start=2026-11-07T00:00&end=2026-11-08T00:00")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("start=yesterday", "Enter a valid date/time."),
        ("start=2026-11-10T00:00&end=2026-11-09T00:00", "the end comes after the start"),
        ("start=2020-01-01T00:00&end=2026-11-09T00:00", "up to 31 days"),
        ("end=0001-01-01T00:00", "This is no page of the log."),
        ("after=x", "This is no page of the log."),
        ("fate=other", "Select a valid choice."),
        ("text=a%00b", "Null characters are not allowed."),
    ],
)
def test_a_search_that_is_not_right_is_told_so(owner, query, message):
    assert message in makers.read(owner, f"/a/acme/events/?{query}")


def test_times_are_read_on_the_clocks_of_the_account(owner, account):
    makers.subscribe(account, time_zone="Asia/Kolkata")
    send("early", at=NOV_10 - HOUR)
    assert "early" in makers.read(owner, "/a/acme/events/?start=2026-11-10T16:30&end=2026-11-10T16:31")
    assert "early" not in makers.read(owner, "/a/acme/events/?start=2026-11-10T11:00&end=2026-11-10T11:01")
    assert "2026-11-10 16:30:00" in makers.read(owner, "/a/acme/events/")


def test_older_pages_follow(owner):
    makers.make_meters()
    send(*(f"n{number:02}" for number in range(60)))
    page = makers.read(owner, "/a/acme/events/?source=shop")
    [link] = [part.split('"')[0] for part in page.split('rel="next" href="')[1:]]
    older = makers.read(owner, "/a/acme/events/" + link.replace("&amp;", "&"))
    assert "n10" in page
    assert "n09" not in page
    assert "n09" in older
    assert 'rel="next"' not in older


def test_the_page_of_an_event_tells_its_line_on_the_invoice(owner, account):
    makers.subscribe(account, started_at=OCTOBER, at=OCTOBER)
    october = NOVEMBER - timedelta(days=5)
    send("billed", at=october, bytes=7)
    [invoice] = makers.issue_invoices(account)
    ingest_events([make_event("late", source="shop", time=october)], at=NOV_10)
    page = open_event(owner, "billed")
    assert "every meter below counts it, once" in page
    assert "October 2026 · final" in page
    assert f"{invoice.number} , line 2, Requests" in page
    assert "{&quot;bytes&quot;: 7}" in page
    late = open_event(owner, "late")
    assert "It came after a period that it lies in was final" in late
    assert "not part of it" in late


def test_the_page_of_an_event_tells_what_skipped_it_and_what_was_refused(owner, account):
    makers.make_meters()
    create_meter(
        key="traffic", name="Traffic", event_type="request", aggregation="sum", value="bytes", unit="byte", at=OCTOBER
    )
    send("1", bytes="many")
    make_key(at=OCTOBER)
    rejection = Rejection("shop", "1", "conflict", "id", "Another event …", b'{"id": "1"}')
    keep_rejections([rejection], api_key_id=ApiKey.objects.get().pk, account_id=account.id, at=NOV_10)
    page = open_event(owner, "1")
    assert "traffic skipped it" in page
    assert "value_not_a_number" in page
    assert "Refused under the same name" in page
    assert "Another event" in page


def test_corrected_events_lead_to_each_other(owner):
    makers.make_meters()
    send("1", "2")
    note = {"reason": "a test run", "made_by": "eve", "at": NOV_10}
    replace_event("shop", "1", make_event("3", source="shop", time=NOV_10), **note)
    retract_event("shop", "2", **note)
    assert "Replaced by 3 : a test run (eve" in open_event(owner, "1")
    assert "It counts in place of 1 ." in open_event(owner, "3")
    assert "Retracted: a test run" in open_event(owner, "2")
    listed = makers.squeeze(makers.read(owner, "/a/acme/events/?fate=corrected"))
    assert "2 corrected" in listed


def test_an_event_that_nobody_sent_is_not_found(owner):
    assert "No event of this account goes by that source and id" in open_event(owner, "1", status=404)
    assert "Look one event up" in makers.read(owner, "/a/acme/events/event/")


def test_nobody_sees_anothers_events(owner):
    """The owner, a colleague, and a stranger."""
    makers.make_meters()
    globex = makers.make_account("globex")
    send("theirs", subject="globex", secret="s3cret"), send("nobodys", subject="nobody")
    assert "theirs" not in makers.read(owner, "/a/acme/events/?subject=globex")
    assert "s3cret" not in open_event(owner, "theirs", status=404)
    open_event(owner, "nobodys", status=404)
    [colleague] = makers.log_in(makers.make_member(globex, Role.VIEWER))
    assert "theirs" in makers.read(colleague, "/a/globex/events/")
    assert "s3cret" in open_event(colleague, "theirs", key="globex")
    for client in (owner, Client()):
        assert client.get("/a/globex/events/").status_code in {404, 302}


@pytest.mark.parametrize(
    ("role", "events", "sending"),
    [(Role.OWNER, 200, 200), (Role.DEVELOPER, 200, 200), (Role.VIEWER, 200, 403), (Role.BILLING, 403, 403)],
)
def test_each_role_opens_what_it_works_with(account, role, events, sending):
    [client] = makers.log_in(makers.make_member(account, role))
    assert client.get("/a/acme/events/").status_code == events
    assert client.get("/a/acme/events/event/").status_code == events
    answer = client.get("/a/acme/sending/")
    assert answer.status_code == sending
    assert ("Your role does not open this page" in answer.content.decode()) == (sending == 403)


@pytest.mark.parametrize("count", [1, 30])
def test_a_page_costs_no_query_per_event(owner, count):
    makers.make_meters()
    send(*(str(number) for number in range(count)))
    with CaptureQueriesContext(connection) as queries:
        makers.read(owner, "/a/acme/events/")
    assert len(queries) <= 15
