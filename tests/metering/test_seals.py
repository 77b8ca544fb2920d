"""The digest of a set of events: whatever their order and however they are split; any change gives another."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from metering.accounts import add_alias
from metering.corrections import replace_event, retract_event
from metering.events import encode_canonical
from metering.ingest import ingest_events
from metering.invariants import check
from metering.meters import create_meter
from metering.models import HourlyRollup
from metering.recounting import recount_hours
from metering.seals import MODULUS, reduce_digest, seal_content, write_content
from metering.usage import read_totals, read_totals_between
from tests.metering.folding import seal_event
from tests.metering.makers import NOON, make_account, make_event, make_events, make_meter

HOUR, MICROSECOND = timedelta(hours=1), timedelta(microseconds=1)
DAY_START, DAY_END = datetime(2026, 11, 10, tzinfo=UTC), datetime(2026, 11, 11, tzinfo=UTC)


@dataclass(frozen=True)
class Content:
    source: str
    id: str
    time: datetime
    type: str
    subject: str
    data: dict[str, Any]

    @property
    def seal(self) -> int:
        data = encode_canonical(self.data)
        return seal_content(write_content(self.source, self.id, self.time, self.type, self.subject, data))


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=6)
values = st.one_of(st.integers(-(10**20), 10**20), texts, st.booleans(), st.none())
contents = st.builds(
    Content,
    source=texts,
    id=texts,
    time=st.timedeltas(timedelta(0), timedelta(days=400)).map(lambda past: NOON - past),
    type=texts,
    subject=texts,
    data=st.dictionaries(texts, values, max_size=3),
)
sets = st.lists(contents, min_size=1, max_size=8, unique_by=lambda each: (each.source, each.id))


def digest_set(events: list[Content]) -> int:
    return reduce_digest(sum(event.seal for event in events))


def test_what_is_sealed_is_one_line_of_json():
    content = write_content("api", "e-1", NOON, "request", "acme", b'{"bytes":5}')
    assert content == b'["api","e-1","2026-11-10T12:00:00Z","request","acme",{"bytes":5}]'
    assert seal_content(content) == int(sha256(content).hexdigest(), 16)


@given(contents)
def test_what_is_sealed_can_be_read_back(event):
    data = encode_canonical(event.data)
    source, id_, time, type_, subject, read = json.loads(
        write_content(event.source, event.id, event.time, event.type, event.subject, data)
    )
    assert (source, id_, type_, subject, read) == (event.source, event.id, event.type, event.subject, event.data)
    assert datetime.fromisoformat(time) == event.time


@given(sets, st.randoms(use_true_random=False))
def test_any_order_and_any_split_give_the_same_digest(events, chance):
    shuffled = chance.sample(events, len(events))
    cut = chance.randint(0, len(events))
    assert digest_set(shuffled) == digest_set(events)
    parts = [digest_set(shuffled[:cut]), digest_set(shuffled[cut:])]
    assert reduce_digest(sum(parts)) == digest_set(events)


CHANGES = {
    "lost": lambda events, chance: events[:-1],
    "doubled": lambda events, chance: [*events, chance.choice(events)],
    "another source": lambda events, chance: [*events[:-1], replace(events[-1], source=events[-1].source + "x")],
    "another id": lambda events, chance: [*events[:-1], replace(events[-1], id=events[-1].id + "x")],
    "moved": lambda events, chance: [*events[:-1], replace(events[-1], time=events[-1].time + MICROSECOND)],
    "another type": lambda events, chance: [*events[:-1], replace(events[-1], type=events[-1].type + "x")],
    "another's": lambda events, chance: [*events[:-1], replace(events[-1], subject=events[-1].subject + "x")],
    "another value": lambda events, chance: [*events[:-1], replace(events[-1], data={**events[-1].data, "v": -7.5})],
    "a letter from id to source": lambda events, chance: [
        *events[:-1],
        replace(events[-1], source=events[-1].source + events[-1].id[0], id=events[-1].id[1:]),
    ],
}


@pytest.mark.parametrize("change", CHANGES)
@given(events=sets, chance=st.randoms(use_true_random=False))
def test_any_single_change_gives_another_digest(change, events, chance):
    assert digest_set(CHANGES[change](events, chance)) != digest_set(events)


def test_a_digest_stays_below_its_modulus():
    assert reduce_digest(MODULUS - 1) == MODULUS - 1
    assert reduce_digest(3 * MODULUS + 5) == 5


NUMBERS = ["1.0", "1", "-0.0", "0.10", "1e2", "12345678901234567890123456789", "1.2e-300", "1e300", "5E-13", "-7.250"]
HOSTILE = ['"é漢🙂"', '"\\u00e9\\u6f22"', '"a\\"b\\\\c\\/d"', '"\\u007f\\u2028"', '"</script>"', "true", "null", "[]"]


@pytest.mark.django_db
@pytest.mark.parametrize("value", [*NUMBERS, *HOSTILE, '{"b":1.50,"a":[1,2.0]}'])
def test_a_stored_event_has_the_seal_that_was_counted(value):
    """Whatever jsonb makes of the text."""
    account, meter = make_account(), make_meter()
    event = make_event("1")
    data = b'{"z": %s, "a": 1, "z": %s}' % (b"2", value.encode())
    ingest_events([type(event)("s", "1", "request", "acme", NOON + MICROSECOND, data)], at=NOON + HOUR)
    counted = HourlyRollup.objects.get(account_id=account.id, meter_id=meter.id).digest
    recount(meter.id)
    assert HourlyRollup.objects.get(account_id=account.id, meter_id=meter.id).digest == counted
    assert list(check()) == []


def recount(*meter_ids: int) -> None:
    recount_hours(
        meter_ids=meter_ids, account_ids=None, start=DAY_START, end=DAY_END, cause="correction", at=NOON + 2 * HOUR
    )


def read_digests(account_id: int, start: datetime = DAY_START, end: datetime = DAY_END) -> dict[str, int | None]:
    readings = read_totals(account_id=account_id, start=start, end=end, with_digests=True)
    return {each.meter_key: each.digest for each in readings}


def digest_events(*events) -> int:
    return sum(
        seal_event(event.source, event.id, event.time, event.type, event.subject, event.data) for event in events
    )


@pytest.fixture
def acme():
    account = make_account()
    make_meter()
    make_meter("bytes", value="bytes")
    for aggregation in ("max", "latest", "unique", "weighted_sum"):
        create_meter(
            key=aggregation,
            name=aggregation,
            unit="byte",
            event_type="request",
            aggregation=aggregation,
            value="bytes",
            at=NOON,
        )
    return account


@pytest.mark.django_db
def test_every_meter_that_counts_an_event_has_its_seal(acme):
    events = [make_event(str(n), time=NOON + n * 20 * MICROSECOND, bytes=n) for n in range(5)]
    unusable = make_event("none", bytes="many")
    ingest_events([*events[:3], unusable], at=NOON)
    ingest_events([*events[2:], unusable], at=NOON)
    digests = read_digests(acme.id)
    assert digests.pop("requests") == digests.pop("unique") == digest_events(*events, unusable) % MODULUS
    assert set(digests.values()) == {digest_events(*events) % MODULUS}


@pytest.mark.django_db
def test_a_window_that_splits_hours_has_the_digest_of_its_own_events(acme):
    times = [NOON - HOUR, NOON + 10 * MICROSECOND, NOON + 20 * MICROSECOND, NOON + HOUR, NOON + HOUR + MICROSECOND]
    events = [make_event(str(n), time=time, bytes=n) for n, time in enumerate(times)]
    ingest_events(events, at=NOON + HOUR)
    bounds = [DAY_START, NOON + 20 * MICROSECOND, NOON + HOUR + MICROSECOND, DAY_END]
    found = read_totals_between({"it": (acme.id, bounds)}, meter_keys=["bytes", "latest", "unique"], with_digests=True)
    expected = [digest_events(*events[:2]), digest_events(*events[2:4]), digest_events(*events[4:])]
    assert [[reading.digest for reading in bucket] for bucket in found["it"]] == [
        [each % MODULUS] * 3 for each in expected
    ]


@pytest.mark.django_db
def test_an_empty_window_has_the_digest_of_nothing(acme):
    assert set(read_digests(acme.id).values()) == {0}


@pytest.mark.django_db
def test_a_digest_is_read_when_it_is_asked_for(acme):
    make_events(3, bytes=1)
    assert {each.digest for each in read_totals(account_id=acme.id, start=DAY_START, end=DAY_END)} == {None}


@pytest.mark.django_db
def test_a_retracted_event_leaves_the_digest_and_its_replacement_joins_it(acme):
    events = [make_event(str(n), bytes=n) for n in range(4)]
    ingest_events(events, at=NOON)
    instead = make_event("2 again", time=NOON - HOUR, bytes=7)
    retract_event("test", "1", reason="wrong", made_by="tests", at=NOON)
    replace_event("test", "2", instead, reason="wrong", made_by="tests", at=NOON)
    left = digest_events(events[0], events[3], instead) % MODULUS
    assert set(read_digests(acme.id).values()) == {left}


@pytest.mark.django_db
def test_an_event_that_waited_for_its_account_brings_its_seal(acme):
    events = [make_event(str(n), subject="acme-2", bytes=n) for n in range(3)]
    ingest_events(events, at=NOON)
    assert set(read_digests(acme.id).values()) == {0}
    add_alias(account_id=acme.id, name="acme-2", at=NOON)
    assert set(read_digests(acme.id).values()) == {digest_events(*events) % MODULUS}


@pytest.mark.django_db
def test_a_meter_that_is_made_later_has_the_digest_of_its_past(acme):
    events = [make_event(str(n), bytes=n) for n in range(3)]
    ingest_events(events, at=NOON)
    make_meter("later", value="bytes")
    assert read_digests(acme.id)["later"] == digest_events(*events) % MODULUS


@pytest.mark.django_db
def test_what_was_counted_before_there_were_digests_is_not_proved_until_it_is_counted_anew(acme):
    earlier, later = make_event("1", time=NOON - HOUR, bytes=1), make_event("2", bytes=2)
    ingest_events([earlier, later], at=NOON)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE metering_hourlyrollup SET digest = NULL WHERE hour < %s", [NOON])
    late = make_event("3", time=NOON - HOUR, bytes=3)
    ingest_events([late], at=NOON)
    assert set(read_digests(acme.id).values()) == {None}
    assert set(read_digests(acme.id, start=NOON).values()) == {digest_events(later) % MODULUS}
    assert list(check()) == []
    recount(*HourlyRollup.objects.values_list("meter_id", flat=True))
    assert set(read_digests(acme.id).values()) == {digest_events(earlier, later, late) % MODULUS}


@pytest.mark.django_db
def test_the_digest_of_an_hour_may_exceed_the_modulus():
    """Its column keeps the sum as it is; it is reduced when it is read."""
    account = make_account()
    make_meter()
    events = [make_event(str(n)) for n in range(40)]
    ingest_events(events, at=NOON)
    stored = HourlyRollup.objects.get().digest
    assert stored == digest_events(*events) > MODULUS
    assert read_digests(account.id) == {"requests": digest_events(*events) % MODULUS}
