"""The fate of one event: who sent it, what it counted for, in which period, and what became of it."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from metering.accounts import create_account
from metering.ingest import ingest_events
from metering.invariants import check
from metering.limits import LimitTerms, close_window, hand_over_limits
from metering.lookup import UnknownEvent, find_event
from metering.meters import create_meter
from metering.models import ApiKey, Correction, Meter, Pruning
from metering.outcomes import PeriodFact, Standing
from metering.rejections import Rejection, keep_rejections
from tests.metering.makers import NOON, make_account, make_event, make_events, make_key, make_meter

pytestmark = pytest.mark.django_db

START, END = NOON.replace(day=1, hour=0), NOON.replace(month=12, day=1, hour=0)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def promises(db):
    yield
    assert list(check()) == []


def open_window(account_id: int) -> None:
    terms = [LimitTerms(meter_id, Decimal(100), False) for meter_id in Meter.objects.values_list("pk", flat=True)]
    hand_over_limits(account_ids=[account_id], terms=terms, start=START, end=END, at=NOON)


def test_a_counted_event_tells_who_sent_it_and_what_each_meter_made_of_it():
    account, key = make_account(), make_key()
    make_meter()
    create_meter(
        key="traffic", name="Traffic", event_type="request", aggregation="sum", value="bytes / 2", unit="byte",
        dimensions=["region"], at=NOON,
    )  # fmt: skip
    make_meter("times", value="ms")
    create_meter(
        key="errors", name="Errors", event_type="request", aggregation="count", unit="error",
        filter={"property": "status", "op": ">=", "value": 500}, at=NOON,
    )  # fmt: skip
    open_window(account.id)
    event = make_event(bytes=7, region="eu-west", status=200, ms="fast")
    ingest_events([event], at=NOON + DAY, api_key_id=key.id)
    record = find_event("test", "1")
    assert (record.standing, record.type, record.subject, record.account) == ("counted", "request", "acme", account)
    assert (record.happened_at, record.received_at) == (NOON, NOON + DAY)
    assert (record.api_key_id, record.key_name) == (key.id, "integrator")
    period = PeriodFact(START, END, None)
    requests, traffic = record.meters
    assert (requests.meter_key, requests.value, requests.dimensions, requests.period) == ("requests", 1, {}, period)
    assert (traffic.meter_name, traffic.unit, traffic.value) == ("Traffic", "byte", Decimal("3.5"))
    assert traffic.dimensions == {"region": "eu-west"}
    assert [(skip.meter, skip.code, skip.field) for skip in record.skipped] == [
        ("times", "value_not_a_number", "data.ms"),
        ("errors", "filtered", "data"),
    ]
    assert (record.correction, record.replaces, record.refusals) == (None, (), ())


def test_distinct_values_are_told_as_their_text():
    make_account()
    create_meter(
        key="users", name="Users", event_type="login", aggregation="unique", value="user", unit="user", at=NOON
    )
    ingest_events([make_event(type="login", user="eve")], at=NOON)
    [count] = find_event("test", "1").meters
    assert (count.value, count.aggregation) == ('"eve"', "unique")


def test_an_unmatched_event_waits_and_is_counted_once_its_account_exists():
    make_meter()
    make_events(1, subject="globex")
    record = find_event("test", "1")
    assert (record.standing, record.account, record.meters[0].period) == (Standing.UNMATCHED, None, None)
    account = create_account(key="globex", name="Globex", at=NOON)
    record = find_event("test", "1")
    assert (record.standing, record.account) == (Standing.COUNTED, account)


def test_an_event_that_came_after_its_period_was_final_is_late():
    account = make_account()
    make_meter()
    open_window(account.id)
    make_events(1)
    close_window(account_id=account.id, start=START, end=END, at=END + DAY)
    make_events(1, first=2, at=END + 2 * DAY)
    early, late = find_event("test", "1"), find_event("test", "2")
    assert (early.standing, early.meters[0].is_late) == (Standing.COUNTED, False)
    assert (late.standing, late.meters[0].is_late) == (Standing.LATE, True)
    assert late.meters[0].period == PeriodFact(START, END, END + DAY)


def test_a_corrected_event_and_the_one_in_its_place_know_each_other():
    make_meter()
    make_events(3, subject="nobody")
    note = {"reason": "a test run", "made_by": "eve", "made_at": NOON + DAY}
    Correction.objects.create(
        source="test", event_id="1", kind="replace", replacement_source="test", replacement_id="2", **note
    )
    Correction.objects.create(source="test", event_id="3", kind="retract", **note)
    replaced, replacing, retracted = (find_event("test", each) for each in "123")
    assert (replaced.standing, replaced.correction.replacement) == (Standing.REPLACED, ("test", "2"))
    assert (replaced.correction.reason, replaced.correction.made_by) == ("a test run", "eve")
    assert (replacing.standing, replacing.replaces) == (Standing.UNMATCHED, (("test", "1"),))
    assert (retracted.standing, retracted.correction.replacement) == (Standing.RETRACTED, None)


def keep(name: str, *, account_id: int | None = None, key_id: int | None = None) -> None:
    rejection = Rejection("test", name, "conflict", "id", "Another event …", name.encode())
    keep_rejections([rejection], api_key_id=key_id or ApiKey.objects.get().pk, account_id=account_id, at=NOON)


def test_what_was_refused_under_its_name_stands_beside_it():
    make_account(), make_meter(), make_key()
    make_events(1)
    keep("1"), keep("2")
    assert [refusal.code for refusal in find_event("test", "1").refusals] == ["conflict"]
    refused = find_event("test", "2")
    assert (refused.standing, refused.received_at, len(refused.refusals)) == (Standing.REJECTED, None, 1)


def test_a_pruned_event_is_known():
    make_account(), make_meter()
    make_events(1)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE metering_event_2026_11")
    Pruning.objects.create(month=START, event_count=1, kept_after=NOON, pruned_at=END)
    record = find_event("test", "1")
    assert (record.standing, record.received_at, record.account) == (Standing.PRUNED, NOON, None)
    with pytest.raises(UnknownEvent, match="up to November 2026 were dropped"):
        find_event("test", "1", account_id=1)


@pytest.mark.parametrize("name", ["2", "", "a\0b", "\ud800", "ü" * 400])
def test_what_never_came_is_unknown(name):
    make_account(), make_meter()
    make_events(1)
    with pytest.raises(UnknownEvent):
        find_event("test", name)
    with pytest.raises(UnknownEvent):
        find_event(name, "1")


def test_an_account_finds_its_own_events_alone():
    acme, globex = make_account(), make_account("globex")
    make_meter(), make_key()
    make_events(1), make_events(1, first=2, subject="nobody")
    keep("3", account_id=acme.id)
    assert find_event("test", "1", account_id=acme.id).account == acme
    assert find_event("test", "3", account_id=acme.id).standing == Standing.REJECTED
    for name in "123":
        with pytest.raises(UnknownEvent, match="no event"):
            find_event("test", name, account_id=globex.id)
    with pytest.raises(UnknownEvent):
        find_event("test", "2", account_id=acme.id)


def test_a_look_up_is_eight_statements():
    account = make_account()
    make_meter(), make_meter("bytes", value="bytes")
    open_window(account.id)
    make_events(3, bytes=1)
    with CaptureQueriesContext(connection) as queries:
        find_event("test", "1")
    assert len(queries) <= 8


def test_a_look_up_reads_a_few_pages_of_its_month():
    """Through the claim, the month's partition and its BRIN index: not by reading the month."""
    make_account(), make_meter()
    for minute in range(30):
        make_events(1_000, first=minute * 1_000, at=NOON + timedelta(minutes=minute))
    make_events(1, first=50_000, time=END, at=END)
    with connection.cursor() as cursor:
        cursor.execute("SELECT brin_summarize_new_values('metering_event_2026_11_received_at_idx')")
        cursor.execute("ANALYZE metering_event")
        with CaptureQueriesContext(connection) as queries:
            assert find_event("test", "12345").received_at == NOON + timedelta(minutes=12)
        [statement] = [query["sql"] for query in queries if "FROM metering_event e" in query["sql"]]
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}")
        [[[plan]]] = cursor.fetchall()
        cursor.execute("SELECT relpages FROM pg_class WHERE relname = 'metering_event_2026_11'")
        [[pages]] = cursor.fetchall()
    text = str(plan)
    assert "metering_event_2026_11" in text
    assert "metering_event_2026_12" not in text
    assert "Bitmap Index Scan" in text
    assert "'Seq Scan', 'Parallel Aware': False, 'Async Capable': False, 'Relation Name': 'metering_event_" not in text
    assert plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"] < pages / 4
