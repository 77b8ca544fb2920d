"""When an alert says that its level was reached, of meters whose readings do not add up."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from metering.aggregations import CARRYING, fold
from metering.alerts import check_limits
from metering.corrections import retract_event
from metering.crossings import Level, find_crossings
from metering.events import floor_hour
from metering.ingest import ingest_events
from metering.limits import LimitTerms, hand_over_limits
from metering.meters import create_meter
from metering.models import Alert, Pruning
from tests.metering.makers import make_account, make_event

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 1, tzinfo=UTC)
END = START + timedelta(days=10)
HOUR = timedelta(hours=1)

KINDS = [
    *[(aggregation, False) for aggregation in ("min", "max", "avg", "latest", "unique", "weighted_sum", "percentile")],
    *[(aggregation, True) for aggregation in sorted(CARRYING - {"sum"})],
]


def at(hour: int, minute: int = 0) -> datetime:
    return START + timedelta(hours=hour, minutes=minute)


def make_gauge(aggregation: str, *, carries_over: bool = False) -> int:
    meter = create_meter(
        key="gauge",
        name="Gauge",
        unit="unit",
        event_type="reading",
        aggregation=aggregation,
        value="level",
        percentile=Decimal("62.5") if aggregation == "percentile" else None,
        carries_over=carries_over,
        dimensions=["zone"],
        at=START,
    )
    return meter.id


def limit(account_id: int, meter_id: int, quantity: str, *, start: datetime = START, end: datetime = END) -> None:
    terms = [LimitTerms(meter_id, Decimal(quantity), is_hard=False)]
    hand_over_limits(account_ids=[account_id], terms=terms, start=start, end=end, at=START)


def send(samples: Sequence[tuple[datetime, Any]], *, subject: str = "acme") -> None:
    events = [
        make_event(f"{subject} {number}", type="reading", subject=subject, time=time, level=level, zone=number % 2)
        for number, (time, level) in enumerate(samples)
    ]
    ingest_events(events, at=END, max_age=timedelta(days=40))


def find_crossed(level: int = 100) -> datetime:
    return Alert.objects.get(level=level).crossed_at


@pytest.mark.parametrize(
    ("aggregation", "samples", "crossed_at"),
    [
        # The window's first event is 12, and none is less: the least was 10 or more from then on.
        ("min", [(at(3, 20), 12), (at(3, 50), 11), (at(5, 1), 30)], at(3, 20)),
        ("max", [(at(3, 20), 9), (at(5, 10), 4), (at(5, 30), 10), (at(5, 40), 12), (at(7), 11)], at(5, 30)),
        # 6; 6, 12; 6, 12, 12: means of 6, 9 and 10.
        ("avg", [(at(3, 20), 6), (at(5, 10), 12), (at(5, 30), 12), (at(7), 90)], at(5, 30)),
        ("latest", [(at(3, 20), 9), (at(5, 10), 4), (at(5, 30), 10), (at(5, 40), 12), (at(7), 11)], at(5, 30)),
        # Each hour has ten values, the second half of them known.
        ("unique", [(at(h, 3 * n), 5 * h + n) for h in range(4) for n in range(10)], at(0, 27)),
        # Of 240 hours 5 are there for 234 2/3, 5 for 234 1/2, 0.1 for 233 5/6: 9.87 as a mean, before the 9 come.
        ("weighted_sum", [(at(5, 20), 5), (at(5, 30), 5), (at(6, 10), Decimal("0.1")), (at(7), 9)], at(7)),
        # Of eight the fifth is the one: the fifth that is below 10 must not be.
        ("percentile", [(at(1, n), 1) for n in range(4)] + [(at(2, n), 10) for n in range(9)], at(2, 2)),
    ],
)
def test_each_aggregation_names_the_event_that_reached_its_level(aggregation, samples, crossed_at):
    account_id, meter_id = make_account("acme").id, make_gauge(aggregation)
    limit(account_id, meter_id, "10")
    send(random.Random(1).sample(samples, len(samples)))  # noqa: S311 (in no order)
    assert find_crossed() == crossed_at


@pytest.mark.parametrize("is_split", [False, True])
@pytest.mark.parametrize(("aggregation", "carries_over"), KINDS)
def test_it_is_the_moment_that_folding_every_prefix_finds(aggregation, carries_over, is_split):
    """Windows on hours and within them, with what came before and comes after; dimensions do not matter."""
    numbers = random.Random(f"{aggregation} {carries_over} {is_split}")  # noqa: S311
    start, end = (at(8, 17), at(30, 48)) if is_split else (at(8), at(30))
    samples = [(at(0, numbers.randrange(40 * 60)), Decimal(numbers.randrange(1, 60))) for _ in range(150)]
    account_id, meter_id = make_account("acme").id, make_gauge(aggregation, carries_over=carries_over)
    send(samples)

    def read(until: datetime) -> Decimal:
        known = [(time, value) for time, value in samples if time <= until]
        terms: dict[str, Any] = {"carries_over": carries_over, "percentile": Decimal("62.5")}
        return fold(aggregation, known, start=start, end=end, **terms)

    times = sorted({time for time, _ in samples if start <= time < end})
    peak = max(read(time) for time in times)
    levels = [peak * share / 10 for share in range(1, 11)]
    found = find_crossings([Level(account_id, meter_id, start, end, level) for level in levels])
    for level, moment in zip(levels, found, strict=True):
        if read(start - timedelta(microseconds=1)) >= level:
            assert moment == start
            continue
        lasts = {floor_hour(time): time for time in times}  # of each hour
        hours = [hour for hour, last in lasts.items() if read(last) >= level]
        if not hours:  # a peak within an hour
            assert moment == start
            continue
        assert moment == next(time for time in times if time >= hours[0] and read(time) >= level)


def test_both_levels_of_one_limit_have_their_own_moment():
    account_id, meter_id = make_account("acme").id, make_gauge("max")
    limit(account_id, meter_id, "10")
    send([(at(3, 20), 8), (at(5, 10), 10)])
    assert (find_crossed(80), find_crossed(100)) == (at(3, 20), at(5, 10))


def test_a_limit_of_zero_is_reached_by_the_first_event_that_is_more():
    account_id, meter_id = make_account("acme").id, make_gauge("latest")
    limit(account_id, meter_id, "0")
    send([(at(3, 20), 0), (at(3, 30), "0"), (at(3, 40), Decimal("0.000000000001"))])
    assert find_crossed() == at(3, 40)


def test_what_was_carried_in_reaches_a_level_when_the_window_begins():
    account_id, meter_id = make_account("acme").id, make_gauge("latest", carries_over=True)
    send([(at(-30), 12)])
    limit(account_id, meter_id, "10")
    check_limits(at=END)
    assert find_crossed() == START


def test_where_the_events_of_the_hour_were_pruned_it_is_the_hours_start():
    account_id, meter_id = make_account("acme").id, make_gauge("max")
    samples = [(at(3, 20), 8), (at(5, 10), 10), (at(6, 10), 20)]
    send(samples)
    Pruning.objects.create(month=START, event_count=1, kept_after=at(5, 12), pruned_at=END)
    ask = [Level(account_id, meter_id, START, END, Decimal(level)) for level in (8, 10, 20)]
    assert find_crossings(ask) == [at(3), at(5), at(6, 10)]


def test_where_the_hour_has_too_many_events_it_is_the_hours_start(monkeypatch):
    account_id, meter_id = make_account("acme").id, make_gauge("max")
    send([(at(3, 20), 8), (at(5, 10), 10), (at(5, 20), 9)])
    ask = [Level(account_id, meter_id, START, END, Decimal(10))]
    monkeypatch.setattr("metering.crossings.MANY", 2)
    assert find_crossings(ask) == [at(5, 10)]
    monkeypatch.setattr("metering.crossings.MANY", 1)
    assert find_crossings(ask) == [at(5)]


def test_an_hour_that_the_window_begins_in_and_that_was_pruned_is_left_out():
    """What reached 8 was at 03:20. Of a level that nothing else reaches all that is known is when the window began."""
    account_id, meter_id = make_account("acme").id, make_gauge("max")
    send([(at(3, 20), 8), (at(5, 10), 6), (at(6, 10), 7)])
    Pruning.objects.create(month=START, event_count=1, kept_after=at(5, 12), pruned_at=END)
    ask = [Level(account_id, meter_id, at(3, 10), END, Decimal(level)) for level in (6, 7, 8)]
    assert find_crossings(ask) == [at(5), at(6, 10), at(3, 10)]


def test_a_corrected_event_reached_nothing():
    account_id, meter_id = make_account("acme").id, make_gauge("max")
    send([(at(3, 20), 10), (at(3, 40), 11)])
    retract_event("test", "acme 0", reason="sent by mistake", made_by="ada", at=END)
    assert find_crossings([Level(account_id, meter_id, START, END, Decimal(10))]) == [at(3, 40)]


@pytest.mark.parametrize("is_split", [False, True])
def test_however_many_levels_and_hours_there_are_the_statements_are_as_few(is_split):
    """What was pruned, the hours, and the events of one hour each; those of the split hours come on top."""
    meter_id = make_gauge("unique")
    counts = []
    for names, hours in [(["a"], 3), (["b", "c", "d"], 200)]:
        ids = [make_account(name).id for name in names]
        for name in names:
            send([(at(hour, 30), f"value {hour}") for hour in range(hours)], subject=name)
        begin = at(0, 10) if is_split else START
        levels = [Level(each, meter_id, begin, END, Decimal(level)) for each in ids for level in (1, 2, hours)]
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert find_crossings(levels) == [at(0, 30), at(1, 30), at(hours - 1, 30)] * len(ids)
        counts.append(len(captured))
    assert counts == ([4, 4] if is_split else [3, 3])
