"""The log of events, newest first, page by page within a window."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from metering.event_log import EventQuery, InvalidWindow, LogPosition, begin_query, count_events, read_page
from metering.invariants import check
from metering.models import Correction
from tests.metering.makers import NOON, make_account, make_events, make_meter

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def ground(db):
    make_account(), make_account("globex"), make_meter(), make_meter("logins", event_type="login")
    yield
    assert list(check()) == []


def find(**terms) -> list[str]:
    query = begin_query(at=terms.pop("at", NOON + 5 * HOUR), **terms)
    found = [record.id for record in read_page(query).events]
    assert count_events(query).total == len(found)
    return found


def test_the_newest_stand_first_and_each_tells_its_fate():
    make_events(1, first=1, at=NOON)
    make_events(1, first=2, subject="nobody", at=NOON + HOUR)
    make_events(1, first=3, at=NOON + 2 * HOUR)
    Correction.objects.create(
        source="test", event_id="9", kind="retract", reason="a test run", made_by="eve", made_at=NOON
    )
    make_events(1, first=9, subject="nobody", at=NOON + 3 * HOUR)
    page = read_page(begin_query(at=NOON + 5 * HOUR))
    assert [(record.id, record.standing) for record in page.events] == [
        ("9", "retracted"),
        ("3", "counted"),
        ("2", "unmatched"),
        ("1", "counted"),
    ]
    assert page.events[1].meters[0].meter_key == "requests"
    assert page.next is None
    counts = count_events(begin_query(at=NOON + 5 * HOUR))
    assert (counts.total, counts.unmatched, counts.corrected, counts.has_more) == (4, 1, 1, False)


def test_each_condition_narrows_it():
    [acme, globex] = make_account("acme-2"), make_account("globex-2")
    make_events(2, subject="acme-2", bytes=17)
    make_events(1, first=3, subject="globex-2", type="login", user="Eve_1")
    make_events(1, first=4, subject="nobody")
    make_events(1, first=4, subject="nobody", source="other")
    assert find(account_id=acme.id) == ["2", "1"]
    assert find(account_id=globex.id) == ["3"]
    assert find(source="other") == ["4"]
    assert find(event_id="4") == ["4", "4"]
    assert find(source="other", event_id="4") == ["4"]
    assert find(type="login") == ["3"]
    assert find(subject="nobody") == ["4", "4"]
    assert find(fate="unmatched") == ["4", "4"]
    assert find(fate="corrected") == []
    assert find(text="eve_1") == ["3"]
    assert find(text="e_e_1") == []
    assert find(text="GLOBEX") == ["3"]
    assert find(text="17") == ["2", "1"]


@pytest.mark.parametrize("terms", [{"source": "a\0b"}, {"text": "\ud800"}, {"fate": "other"}, {"event_id": "\0"}])
def test_what_no_event_can_be_is_not_found(terms):
    make_events(1)
    assert find(**terms) == []


def test_only_what_was_received_in_the_window_is_shown():
    make_events(1, first=1, at=NOON)
    make_events(1, first=2, at=NOON + timedelta(days=1))
    at = NOON + timedelta(days=1)
    assert find(at=at) == ["2"]
    assert find(at=at, start=NOON) == ["2", "1"]
    assert find(at=at, start=NOON, end=at) == ["1"]
    assert find(at=at, end=at) == ["1"]


def test_an_event_that_is_named_in_full_is_found_whenever_it_came():
    make_events(1, first=1, at=NOON)
    later = NOON + timedelta(days=60)
    assert find(at=later, source="test", event_id="1") == ["1"]
    assert find(at=later, source="test", event_id="2") == []
    assert find(at=later, source="test", event_id="1", type="login") == []


@pytest.mark.parametrize("days", [-1, 0, 32])
def test_a_window_is_neither_empty_nor_too_long(days):
    with pytest.raises(InvalidWindow):
        EventQuery(NOON, NOON + timedelta(days=days))


def test_pages_follow_each_other_without_a_gap_or_a_repeat():
    for hour in range(4):
        make_events(7, first=hour * 7, at=NOON + hour * HOUR)
    query = begin_query(at=NOON + 4 * HOUR)
    seen, after = [], None
    for _ in range(20):
        page = read_page(query, after=after, limit=5)
        seen += [(record.received_at, record.source, record.id) for record in page.events]
        after = page.next
        if after is None:
            break
    assert len(seen) == 28
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 28


def test_a_page_that_is_asked_for_from_anywhere_goes_on_below_it():
    make_events(3)
    page = read_page(begin_query(at=NOON), after=LogPosition(NOON, "test", "2"))
    assert [record.id for record in page.events] == ["1"]


@pytest.mark.parametrize("count", [1, 40])
def test_a_page_is_seven_statements_at_most(count):
    for hour in range(3):
        make_events(count, first=1 + hour * 100, at=NOON + hour * HOUR)
    with CaptureQueriesContext(connection) as queries:
        read_page(begin_query(at=NOON + 4 * HOUR))
    assert len(queries) <= 7


def test_a_page_of_the_newest_does_not_look_further_back():
    make_events(60)
    with CaptureQueriesContext(connection) as queries:
        assert len(read_page(begin_query(at=NOON)).events) == 50
    assert sum("FROM metering_event e" in query["sql"] for query in queries) == 1


def test_more_than_ten_thousand_are_not_counted_to_the_end(monkeypatch):
    monkeypatch.setattr("metering.event_log.COUNTED_MAX", 5)
    make_events(6)
    counts = count_events(begin_query(at=NOON))
    assert (counts.total, counts.has_more) == (5, True)


def test_other_months_are_not_touched_and_this_one_through_its_index():
    for minute in range(20):
        make_events(1_000, first=minute * 1_000, at=NOON + timedelta(minutes=minute))
    later = NOON + timedelta(days=30)
    make_events(1, first=50_000, time=later, at=later)
    with connection.cursor() as cursor:
        cursor.execute("SELECT brin_summarize_new_values('metering_event_2026_11_received_at_idx')")
        cursor.execute("ANALYZE metering_event")
        query = begin_query(at=NOON, start=NOON, end=NOON + timedelta(minutes=1))
        with CaptureQueriesContext(connection) as queries:
            read_page(query)
        [statement] = [query["sql"] for query in queries if "FROM metering_event e" in query["sql"]]
        cursor.execute(f"EXPLAIN {statement}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "metering_event_2026_12" not in plan
    assert "Bitmap Index Scan on metering_event_2026_11_received_at_idx" in plan
