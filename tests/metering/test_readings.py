"""Readings from rollups and from the events of split hours, held against a plain fold over what was sent."""

import random
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection

from metering.aggregations import CARRYING, Sample, fold, round_quantity
from metering.ingest import ingest_events
from metering.limits import LimitTerms, hand_over_limits
from metering.meters import MeterRef, create_meter
from metering.models import Correction, Event, Limit, Pruning
from metering.spans import EVERY, write_statement
from metering.statements import plain_array, run_statement, text_array, time_array
from metering.usage import HistoryPruned, Window, read_current, read_series, read_totals_of, read_usage, read_windows
from tests.metering.makers import make_account, make_event

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 1, tzinfo=UTC)
SPAN = timedelta(days=4)

KINDS = [
    *[(aggregation, False) for aggregation in ("count", "sum", "min", "max", "avg", "latest", "unique")],
    ("weighted_sum", False),
    ("percentile", False),
    *[(aggregation, True) for aggregation in sorted(CARRYING)],
]


def make_gauge(aggregation: str, *, key: str = "gauge", carries_over: bool = False, **terms: Any) -> MeterRef:
    return create_meter(
        key=key,
        name=key.title(),
        unit="unit",
        event_type="reading",
        aggregation=aggregation,
        value="" if aggregation == "count" else "level",
        percentile=Decimal("62.5") if aggregation == "percentile" else None,
        carries_over=carries_over,
        at=START,
        **terms,
    )


def send(samples: Sequence[tuple[datetime, Decimal | str]], *, subject: str = "acme", **data: Any) -> None:
    events = [
        make_event(
            f"{subject}-{number}-{random.random()}",  # noqa: S311
            type="reading",
            time=at,
            subject=subject,
            level=value,
            **data,
        )
        for number, (at, value) in enumerate(samples)
    ]
    ingest_events(events, at=START + timedelta(days=8), max_age=timedelta(days=400))


def draw_samples(chance: random.Random, count: int = 120) -> list[tuple[datetime, Decimal]]:
    """Few hours and few values, so that both repeat; times to the microsecond and now and then equal."""
    hours = [START + timedelta(hours=chance.randrange(96)) for _ in range(20)]
    moments = [chance.choice(hours) + timedelta(microseconds=chance.randrange(3_600_000_000)) for _ in range(count)]
    moments[:20] = [chance.choice(hours) for _ in range(20)]
    return [(moment, Decimal(chance.randrange(-200, 900)) / chance.choice([1, 4, 100])) for moment in moments]


def draw_window(chance: random.Random) -> tuple[datetime, datetime]:
    step = chance.choice([3_600_000_000, 900_000_000, 1])  # whole hours, quarters, microseconds
    steps = SPAN // timedelta(microseconds=step)
    start, end = sorted(START + timedelta(microseconds=step) * chance.randrange(steps) for _ in range(2))
    return start, end


def fold_samples(meter: MeterRef, samples: Sequence[Sample], start: datetime, end: datetime) -> Decimal:
    return fold(
        meter.aggregation,
        samples,
        start=start,
        end=end,
        carries_over=meter.carries_over,
        percentile=meter.percentile or 95,
    )


@pytest.mark.parametrize(("aggregation", "carries_over"), KINDS)
def test_any_window_reads_what_a_fold_over_its_events_says(aggregation, carries_over):
    chance = random.Random(f"{aggregation} {carries_over}")  # noqa: S311
    account = make_account("acme")
    make_account("other")
    meter = make_gauge(aggregation, carries_over=carries_over)
    samples = draw_samples(chance)
    send(samples)
    send(draw_samples(chance, 30), subject="other")
    asked = {number: draw_window(chance) for number in range(25)}
    windows = {number: Window(account.id, meter.id, *window) for number, window in asked.items()}
    expected = {number: fold_samples(meter, samples, *window) for number, window in asked.items()}
    assert read_windows(windows) == expected
    for number, (start, end) in asked.items():
        reading = read_usage(account_id=account.id, meter_key="gauge", start=start, end=end)
        inside = [at for at, _ in samples if start <= at < end]
        assert (reading.quantity, reading.event_count) == (expected[number], len(inside))


@pytest.mark.parametrize(("aggregation", "carries_over"), KINDS)
def test_each_point_of_a_series_reads_what_a_fold_says(aggregation, carries_over):
    chance = random.Random(f"{aggregation} {carries_over}")  # noqa: S311
    account = make_account("acme")
    meter = make_gauge(aggregation, carries_over=carries_over)
    samples = draw_samples(chance)
    send(samples)
    start, end = START + timedelta(hours=20), START + timedelta(hours=75, minutes=7)
    for bucket, time_zone in [("hour", "UTC"), ("hour", "America/St_Johns"), ("day", "Asia/Kathmandu")]:
        points = read_series(
            account_id=account.id, meter_key="gauge", start=start, end=end, bucket=bucket, time_zone=time_zone
        )
        bounds = [*(point.start for point in points), end]
        expected = [fold_samples(meter, samples, *window) for window in pairwise(bounds)]
        assert [point.quantity for point in points] == expected, (bucket, time_zone)


def test_a_level_is_carried_through_hours_in_which_nothing_happens():
    account = make_account("acme")
    make_gauge("weighted_sum", key="disk", carries_over=True)
    make_gauge("latest", key="seats", carries_over=True)
    make_gauge("weighted_sum", key="lent")
    send([(START, Decimal(100)), (START + timedelta(hours=49, minutes=30), Decimal(-40))])
    readings = {}
    for key in ("disk", "seats", "lent"):
        points = read_series(
            account_id=account.id,
            meter_key=key,
            start=START + timedelta(days=1),
            end=START + timedelta(days=4),
            bucket="day",
        )
        readings[key] = [point.quantity for point in points]
    # 40 less from 01:30 on the third day: for 22.5 hours of its 24.
    assert readings["disk"] == [100, Decimal("62.5"), 60]
    assert readings["seats"] == [100, -40, -40]
    assert readings["lent"] == [0, Decimal("-37.5"), 0]


@pytest.mark.parametrize("rounding", ["round", "ceil", "floor"])
def test_the_reading_is_rounded_and_not_each_event(rounding):
    account = make_account("acme")
    meter = make_gauge("sum", rounding=rounding, rounding_places=1)
    send([(START, Decimal("0.04")), (START + timedelta(minutes=1), Decimal("0.33"))])
    reading = read_usage(account_id=account.id, meter_key="gauge", start=START, end=START + SPAN)
    assert reading.quantity == round_quantity(Decimal("0.37"), rounding, 1)
    windows = {7: Window(account.id, meter.id, START, START + SPAN)}
    assert read_windows(windows) == {7: Decimal("0.37")}
    terms = [LimitTerms(meter_id=meter.id, quantity=Decimal(5), is_hard=False)]
    hand_over_limits(account_ids=[account.id], terms=terms, start=START, end=START + SPAN, at=START)
    assert Limit.objects.get().used == Decimal("0.37")


def test_an_empty_meter_reads_nothing_in_every_aggregation():
    account = make_account("acme")
    for aggregation, carries_over in KINDS:
        make_gauge(aggregation, key=f"{aggregation}-{carries_over}".lower(), carries_over=carries_over)
    totals = read_totals_of([account.id], start=START, end=START + SPAN)[account.id]
    assert [(total.quantity, total.event_count) for total in totals] == [(0, 0)] * len(KINDS)


@pytest.mark.parametrize("count", [1, 12])
def test_windows_cost_one_statement_and_two_where_hours_are_split(django_assert_num_queries, count):
    account = make_account("acme")
    meters = [make_gauge(aggregation, key=aggregation) for aggregation in ("count", "avg", "unique", "percentile")]
    send([(START, Decimal(5)), (START + timedelta(minutes=50), Decimal(7))])
    windows = {
        number: Window(account.id, meters[number % 4].id, START, START + timedelta(hours=number + 1))
        for number in range(count)
    }
    with django_assert_num_queries(1) as captured:
        read_windows(windows)
    assert "metering_event" not in captured[0]["sql"]
    split = {number: window._replace(end=window.end - timedelta(minutes=20)) for number, window in windows.items()}
    with django_assert_num_queries(2):
        read_windows(split)


def test_windows_that_split_the_same_hour_do_not_disturb_each_other():
    account = make_account("acme")
    meter = make_gauge("sum")
    moments = [START + timedelta(minutes=minutes) for minutes in (0, 10, 20, 30, 70)]
    send([(moment, Decimal(10**place)) for place, moment in enumerate(moments)])
    windows = {
        "whole": (0, 60),
        "first": (0, 20),
        "second": (20, 60),
        "across": (10, 120),
        "empty": (20, 20),
    }
    asked = {
        name: Window(account.id, meter.id, START + timedelta(minutes=start), START + timedelta(minutes=end))
        for name, (start, end) in windows.items()
    }
    assert read_windows(asked) == {"whole": 1111, "first": 11, "second": 1100, "across": 11110, "empty": 0}


def test_a_split_hour_needs_its_events():
    account = make_account("acme")
    make_gauge("sum")
    send([(START, Decimal(3))])
    kept_after = START + timedelta(days=1, hours=5, minutes=12)
    Pruning.objects.create(month=START, event_count=1, kept_after=kept_after, pruned_at=kept_after)
    with pytest.raises(HistoryPruned, match="up to 2026-11-02 05:12 UTC were pruned"):
        read_usage(account_id=account.id, meter_key="gauge", start=START, end=kept_after + timedelta(minutes=1))
    later = START + timedelta(days=1, hours=6, minutes=1)
    assert read_usage(account_id=account.id, meter_key="gauge", start=START, end=later).quantity == 3


def test_a_corrected_event_is_not_read_from_a_split_hour():
    account = make_account("acme")
    make_gauge("sum")
    send([(START, Decimal(3)), (START + timedelta(minutes=5), Decimal(4))])
    event = Event.objects.get(data__level=3)
    Correction.objects.create(
        source=event.source, event_id=event.event_id, kind="retract", reason="test", made_by="test", made_at=START
    )
    reading = read_usage(account_id=account.id, meter_key="gauge", start=START, end=START + timedelta(minutes=30))
    assert reading.quantity == 4


def test_a_sum_over_a_month_of_hours_is_one_range_of_the_primary_key():
    account, meter = make_account("acme"), make_gauge("sum")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO metering_hourlyrollup (account_id, meter_id, hour, dimensions, event_count, total)"
            " SELECT a, %s, %s + hour * interval '1 hour', '', 1, 1"
            " FROM generate_series(%s, %s) AS a, generate_series(1, 2000) AS hour",
            [meter.id, START, account.id, account.id + 19],
        )
        cursor.execute("ANALYZE metering_hourlyrollup")
    bounds = [START, START + timedelta(days=30)]
    params = {"accounts": plain_array([account.id]), "meters": text_array(["gauge"]), "bounds": time_array(bounds)}
    statement = "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) " + write_statement(
        EVERY, False, False
    )
    plan = "\n".join(row[0] for row in run_statement(statement, params))
    [scan] = re.findall(r"Index Scan using metering_hourlyrollup_pkey .*rows=719.*\n +Index Cond: (.*)", plan)
    assert scan == "((account_id = s.account_id) AND (meter_id = s.id) AND (hour >= s.first) AND (hour < s.until))"
    assert "Seq Scan on metering_hourlyrollup" not in plan


def test_current_usage_is_the_running_total_of_the_limit(django_assert_num_queries):
    account = make_account("acme")
    meter = make_gauge("sum", rounding="ceil")
    assert read_current(account_id=account.id, meter_key="gauge", at=START) is None
    terms = [LimitTerms(meter_id=meter.id, quantity=Decimal(5), is_hard=False)]
    for start in (START, START + SPAN):
        hand_over_limits(account_ids=[account.id], terms=terms, start=start, end=start + SPAN, at=START)
    send([(START, Decimal("1.25")), (START + SPAN, Decimal(8))])
    with django_assert_num_queries(1):
        current = read_current(account_id=account.id, meter_key="gauge", at=START + SPAN - timedelta(microseconds=1))
    assert current is not None
    assert (current.quantity, current.start, current.end) == (2, START, START + SPAN)
    later = read_current(account_id=account.id, meter_key="gauge", at=START + SPAN)
    assert later is not None
    assert later.quantity == 8
