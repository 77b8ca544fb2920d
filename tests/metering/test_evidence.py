"""What was counted when a window was closed, event by event, whatever came since."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from metering.accounts import add_alias
from metering.corrections import replace_event, retract_event
from metering.evidence import HistoryPruned, open_evidence
from metering.ingest import ingest_events
from metering.limits import LimitTerms, close_window, hand_over_limits
from metering.meters import create_meter
from metering.models import Pruning
from metering.parts import PartReading
from metering.proving import recount_events
from metering.usage import read_totals
from tests.metering.folding import seal_event
from tests.metering.makers import NOON, make_account, make_event, make_meter

pytestmark = pytest.mark.django_db

START, END = datetime(2026, 11, 10, tzinfo=UTC), datetime(2026, 11, 11, tzinfo=UTC)
CLOSED = END + timedelta(hours=2)
LATER = CLOSED + timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def meter():
    account, meter = make_account(), make_meter("bytes", value="bytes")
    terms = [LimitTerms(meter_id=meter.id, quantity=None, is_hard=False)]
    hand_over_limits(account_ids=[account.id], terms=terms, start=START, end=END, at=START)
    return account.id, meter.id


def send(*ids: str, at: datetime = NOON, subject: str = "acme", time: datetime = NOON):
    events = [make_event(id, subject=subject, time=time, bytes=5) for id in ids]
    ingest_events(events, at=at)
    return events


def close(account_id: int) -> None:
    close_window(account_id=account_id, start=START, end=END, at=CLOSED)


def open_window(meter):
    return open_evidence(meter[0], [meter[1]], start=START, end=END, closed_at=CLOSED)


def digest(*events) -> int:
    seals = [seal_event(each.source, each.id, each.time, each.type, each.subject, each.data) for each in events]
    return sum(seals) % 2**256


def recount(meter):
    evidence = open_window(meter)
    reading = recount_events(evidence)[meter[1]].state_reading()
    return reading.event_count, reading.quantity, reading.digest, evidence.late_count, evidence.corrected_count


def test_each_event_comes_with_what_is_sealed_and_its_worth(meter):
    [event] = send("1")
    [found] = open_window(meter)
    assert found.content == b'["test","1","2026-11-10T12:00:00Z","request","acme",{"bytes":5}]'
    assert (found.seal, found.happened_at) == (digest(event), NOON)
    assert [(each.meter_id, each.value) for each in found.measures] == [(meter[1], 5)]


def test_what_came_after_the_closing_is_left_out_and_counted(meter):
    events = send("1", "2")
    close(meter[0])
    send("3", "4", "5", at=LATER)
    assert recount(meter) == (2, Decimal(10), digest(*events), 3, 0)


def test_no_clock_decides_what_was_in_time(meter):
    """Received, by its own clock, after the closing's, and yet counted before it."""
    events = send("1", at=CLOSED + MICROSECOND)
    close(meter[0])
    send("2", at=CLOSED - timedelta(minutes=1))
    assert recount(meter) == (1, Decimal(5), digest(*events), 1, 0)


def test_an_event_that_was_retracted_since_counts_as_it_did(meter):
    events = send("1", "2")
    retract_event("test", "1", reason="wrong", made_by="tests", at=NOON)
    close(meter[0])
    retract_event("test", "2", reason="wrong", made_by="tests", at=LATER)
    assert recount(meter) == (1, Decimal(5), digest(events[1]), 0, 1)


def test_an_event_that_replaced_another_since_is_late(meter):
    events = send("1", "2")
    in_time = make_event("1 again", bytes=7)
    replace_event("test", "1", in_time, reason="wrong", made_by="tests", at=NOON)
    close(meter[0])
    replace_event("test", "2", make_event("2 again", bytes=9), reason="wrong", made_by="tests", at=LATER)
    assert recount(meter) == (2, Decimal(12), digest(events[1], in_time), 1, 1)


def test_an_event_that_found_its_account_since_is_late(meter):
    events = send("1")
    send("2", subject="acme-2")
    waiting = send("3", subject="acme-3")
    add_alias(account_id=meter[0], name="acme-3", at=NOON + timedelta(hours=1))
    close(meter[0])
    add_alias(account_id=meter[0], name="acme-2", at=LATER)
    assert recount(meter) == (2, Decimal(10), digest(*events, *waiting), 1, 0)


def test_where_there_is_no_window_the_time_of_receipt_tells(meter):
    other = make_meter("requests")
    events = send("1", "2")
    late = send("3", at=CLOSED)
    evidence = open_evidence(meter[0], [other.id], start=START, end=END, closed_at=CLOSED)
    assert recount_events(evidence)[other.id].state_reading().digest == digest(*events)
    assert evidence.late_count == len(late)


def test_a_level_is_recounted_with_what_was_there_before():
    account = make_account()
    for aggregation in ("sum", "latest", "unique", "weighted_sum"):
        create_meter(
            key=aggregation,
            name=aggregation,
            unit="seat",
            event_type="request",
            aggregation=aggregation,
            value="bytes",
            carries_over=True,
            at=NOON,
        )
    send("before", time=START - timedelta(days=3), at=NOON)
    send("within", time=NOON)
    told = read_totals(account_id=account.id, start=START, end=END, with_digests=True)
    evidence = open_evidence(account.id, [each.meter_id for each in told], start=START, end=END, closed_at=CLOSED)
    found = [recount.state_reading() for recount in recount_events(evidence).values()]
    assert [(each.meter_key, each.quantity, each.event_count, each.digest) for each in found] == [
        (each.meter_key, each.quantity, each.event_count, each.digest) for each in told
    ]
    assert {each.meter_key: each.quantity for each in found} == {
        "latest": Decimal(5), "sum": Decimal(10), "unique": Decimal(1), "weighted_sum": Decimal("7.5"),
    }  # fmt: skip


def test_single_values_are_kept_where_they_are_wanted(meter):
    ingest_events([make_event("1", bytes=7), make_event("2", time=NOON - timedelta(hours=1), bytes=9)], at=NOON)
    assert recount_events(open_window(meter))[meter[1]].list_values() == []
    assert recount_events(open_window(meter), valued=[meter[1]])[meter[1]].list_values() == [9, 7]


def test_parts_are_recounted_by_dimension():
    account = make_account()
    meter = create_meter(
        key="bytes",
        name="Bytes",
        unit="byte",
        event_type="request",
        aggregation="sum",
        value="bytes",
        dimensions=["host", "path"],
        at=NOON,
    )
    rows = [("1", "a", 1), ("2", "b", 2), ("3", "a", 4)]
    ingest_events([make_event(id, bytes=size, host=host, path=id) for id, host, size in rows], at=NOON)
    ingest_events([make_event("4", bytes=8)], at=NOON)
    evidence = open_evidence(account.id, [meter.id], start=START, end=END, closed_at=CLOSED)
    assert recount_events(evidence)[meter.id].list_parts(["host"]) == [
        PartReading({"host": ""}, Decimal(8), 1),
        PartReading({"host": "a"}, Decimal(5), 2),
        PartReading({"host": "b"}, Decimal(2), 1),
    ]


def test_what_was_pruned_cannot_be_shown(meter):
    Pruning.objects.create(month=START.date().replace(day=1), event_count=1, kept_after=START, pruned_at=CLOSED)
    with pytest.raises(HistoryPruned, match="pruned"):
        open_window(meter)


def test_an_account_is_shown_its_own_events(meter):
    other = make_account("other")
    send("1", subject="other")
    assert list(open_window(meter)) == []
    assert len(list(open_evidence(other.id, [meter[1]], start=START, end=END, closed_at=CLOSED))) == 1
