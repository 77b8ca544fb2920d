"""Random histories, ingested for real: what is read from rollups is what the raw events come to, meter by meter.

The suite lives through a few, `make soak` through ten thousand, and `--histories N` through so many. The seed of pytest
decides which.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from operator import itemgetter
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.db.models import Sum

from metering.accounts import create_account
from metering.breakdowns import plan_breakdown, read_dimensions
from metering.corrections import replace_event, retract_event
from metering.evidence import open_evidence
from metering.ingest import Fate, ingest_events
from metering.invariants import check
from metering.limits import LimitTerms, close_window, hand_over_limits
from metering.meters import change_meter, create_meter
from metering.models import Adjustment, Limit
from metering.parts import read_parts
from metering.proving import recount_events
from metering.readings import list_groups
from metering.spans import read_every
from metering.usage import Reading, read_series, read_totals
from tests.metering.folding import (
    FILTERS,
    MeterPlan,
    RawEvent,
    fold_events,
    measure_events,
    name_dimension,
    round_plan,
    seal_event,
)
from tests.metering.histories import (
    ANCHORS,
    DAY,
    HOUR,
    History,
    draw_history,
    draw_plan,
    draw_plans,
)

pytestmark = pytest.mark.django_db

FEW, MANY = 24, 10_000
HISTORIES = 12  # with the same meters
WORLDS = 40  # in one test of the long run
ALL_HISTORY = timedelta(days=40_000)
QUARTER = timedelta(minutes=15)
DIMENSION_VALUES = ("eu", "us", "gold", "null", "5", "5.5", "true")
NO_GROUP = {"": Fraction(0)}


def list_seeds(config: pytest.Config, default: int) -> list[str]:
    """One for each world of twelve histories."""
    count = config.getoption("histories") or default
    return [f"{config.getoption('randomly_seed')}/{world}" for world in range(-(-count // HISTORIES))]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "few_seeds" in metafunc.fixturenames:
        metafunc.parametrize("few_seeds", [list_seeds(metafunc.config, FEW)], ids=["few"])
    if "many_seeds" in metafunc.fixturenames:
        seeds = list_seeds(metafunc.config, MANY)
        parts = [seeds[first : first + WORLDS] for first in range(0, len(seeds), WORLDS)]
        metafunc.parametrize("many_seeds", parts, ids=[f"part{number}" for number in range(len(parts))])


def test_readings_equal_the_raw_events(few_seeds):
    for seed in few_seeds:
        live_through(seed)


@pytest.mark.soak
def test_readings_equal_the_raw_events_for_long(many_seeds):
    for seed in many_seeds:
        live_through(seed)


def live_through(seed: str) -> None:
    """Twelve accounts with the same meters, and one more meter that is made when all has happened."""
    chance = random.Random(seed)  # noqa: S311 (repeats what failed)
    zone, around = chance.choice(ANCHORS)
    plans = draw_plans(chance, around=around)
    with transaction.atomic():
        meter_ids = {plan.key: make_planned(plan, at=around - 60 * DAY) for plan in plans}
        lives = []
        for number in range(HISTORIES):
            keys = list(meter_ids)
            history = draw_history(chance, f"account-{number}", zone=zone, around=around, meters=keys)
            lives.append(Life(f"{seed}, {history.subject}", history, plans, meter_ids, at=around + 20 * DAY))
        for life in lives:
            life.live()
            life.compare(chance)
        late = draw_plan(chance, "late", chance.choice(plans).aggregation, around=around)
        late = replace(late, versions=late.versions[:1])  # another starts in the future, and all of this is past
        make_planned(late, at=around - 60 * DAY)
        for life in lives:
            life.plans = [*plans, late]
            life.compare(chance)
        assert list(check()) == [], seed
        transaction.set_rollback(True)


def make_planned(plan: MeterPlan, *, at: datetime) -> int:
    first, *later = plan.versions
    meter = create_meter(
        key=plan.key,
        name=plan.key,
        unit="unit",
        aggregation=plan.aggregation,
        event_type=first.event_type,
        value=first.worth,
        filter=FILTERS[first.filter][0],
        dimensions=first.dimensions,
        percentile=plan.percentile,
        rounding=plan.rounding,
        rounding_places=plan.rounding_places,
        carries_over=plan.carries_over,
        at=at,
    )
    for version in later:
        change_meter(
            plan.key,
            event_type=version.event_type,
            value=version.worth,
            filter=FILTERS[version.filter][0],
            dimensions=version.dimensions,
            starts_at=version.starts_at,
            at=at,
        )
    return meter.id


class Life:
    """One history as it happens, and what is read of it afterwards."""

    def __init__(
        self, name: str, history: History, plans: list[MeterPlan], meter_ids: dict[str, int], *, at: datetime
    ) -> None:
        self.name, self.history, self.plans, self.meter_ids, self.at = name, history, plans, meter_ids, at
        self.account_id = 0
        self.used_at_close: dict[int, Decimal] = {}

    def live(self) -> None:
        history = self.history
        self.send(history.early)
        self.account_id = create_account(key=history.subject, name=history.subject, at=self.at).id
        self.open_limits()
        for number, batch in enumerate(history.batches):
            if number == history.closed_before:
                self.close_limits()
            self.send(batch)
        if history.closed_before == len(history.batches):
            self.close_limits()
        note = {"reason": "a test", "made_by": "tests", "at": self.at}
        for id in history.retracted:
            retract_event(history.subject, id, **note)
        for id, event in history.replaced.items():
            replace_event(history.subject, id, event, **note)

    def send(self, events) -> None:
        fates = ingest_events(events, at=self.at, max_age=ALL_HISTORY)
        assert not [fate for fate in fates if fate.fate == Fate.REJECTED], self.name

    def open_limits(self) -> None:
        if self.history.limit_window is not None:
            start, end = self.history.limit_window
            terms = [LimitTerms(self.meter_ids[key], Decimal(100), is_hard=False) for key in self.history.limited]
            hand_over_limits(account_ids=[self.account_id], terms=terms, start=start, end=end, at=self.at)

    def close_limits(self) -> None:
        if self.history.limit_window is not None:
            start, end = self.history.limit_window
            close_window(account_id=self.account_id, start=start, end=end, at=self.at)
            self.used_at_close = dict(Limit.objects.filter(account_id=self.account_id).values_list("pk", "used"))

    def compare(self, chance: random.Random) -> None:
        for _ in range(2):
            self.compare_totals(*self.draw_window(chance))
        self.compare_recounts(*self.draw_window(chance))
        for bucket in ("hour", "day", "month"):
            self.compare_series(chance.choice(self.plans), bucket, *self.draw_window(chance))
        self.compare_groups(chance, *self.draw_window(chance))
        self.compare_limits()

    def draw_window(self, chance: random.Random) -> tuple[datetime, datetime]:
        """All of it, or between two moments, which may be the same."""
        moments = self.history.moments
        start, end = sorted((min(moments), max(moments)) if chance.random() < 0.4 else chance.choices(moments, k=2))
        return start, end

    def compare_totals(self, start: datetime, end: datetime) -> None:
        readings = {each.meter_key: each for each in self.read(start, end)}
        for plan in self.plans:
            reading = readings[plan.key]
            quantity, event_count = self.fold(plan, start, end)
            found = (Fraction(reading.quantity), reading.event_count, reading.digest)
            wanted = (round_plan(plan, quantity), event_count, self.digest(plan, start, end))
            assert found == wanted, self.describe(plan, start, end)

    def compare_recounts(self, start: datetime, end: datetime) -> None:
        """From the events themselves, and by their dimensions, as from the rollups."""
        readings = {each.meter_id: each for each in self.read(start, end)}
        evidence = open_evidence(self.account_id, readings, start=start, end=end, closed_at=self.at + DAY)
        if any(closing.moments is not None for closing in evidence.closings.values()):
            return  # told as it was when its window was closed
        for meter_id, recount in recount_events(evidence).items():
            told = readings[meter_id]
            assert recount.state_reading() == replace(told, is_level=False), (self.name, told)
            names = recount.terms.versions[-1].dimensions
            parts = read_parts([self.account_id], meter_key=told.meter_key, dimensions=names, start=start, end=end)
            if names and not recount.terms.carries_over:
                key = itemgetter(*names)
                by_values = sorted(parts[self.account_id], key=lambda part: key(part.values))
                assert sorted(recount.list_parts(names), key=lambda part: key(part.values)) == by_values, self.name

    def read(self, start: datetime, end: datetime) -> list[Reading]:
        return read_totals(account_id=self.account_id, start=start, end=end, with_digests=True)

    def digest(self, plan: MeterPlan, start: datetime, end: datetime) -> int:
        """Of the events that the meter counts within the window."""
        events = [event for event in self.history.list_counting() if start <= event.time < end]
        raw = [(event, RawEvent(event.type, event.time, event.data)) for event in events]
        seals = [
            seal_event(event.source, event.id, event.time, event.type, event.subject, event.data)
            for event, each in raw
            if measure_events(plan, [each])
        ]
        return sum(seals) % 2**256

    def compare_series(self, plan: MeterPlan, bucket: str, start: datetime, end: datetime) -> None:
        zone = self.history.zone
        points = read_series(
            account_id=self.account_id, meter_key=plan.key, start=start, end=end, bucket=bucket, time_zone=zone
        )
        starts = list(split_by_clock(bucket, start, end, ZoneInfo(zone)))
        assert [point.start for point in points] == starts, self.describe(plan, start, end)
        for point, until in zip(points, [*starts, end][1:], strict=True):
            quantity, _ = self.fold(plan, point.start, until)
            assert Fraction(point.quantity) == round_plan(plan, quantity), self.describe(plan, point.start, until)

    def compare_groups(self, chance: random.Random, start: datetime, end: datetime) -> None:
        """By some dimensions, and of some values of another alone."""
        plan = chance.choice(self.plans)
        names = sorted({name for version in plan.versions for name in version.dimensions})
        group_by = chance.sample(names, chance.randint(0, len(names)))
        filters = {name: chance.sample(DIMENSION_VALUES, 3) for name in names if chance.random() < 0.3}
        breakdown = plan_breakdown(read_dimensions([plan.key]), group_by=group_by, filters=filters)
        [span] = read_every([self.account_id], meter_keys=[plan.key], bounds=[start, end], breakdown=breakdown)
        found = {group: Fraction(quantity) for group, [(quantity, _)] in list_groups(span, [start, end])}
        assert found == self.fold_groups(plan, group_by, filters, start, end), (
            f"by {group_by}, of {filters}\n{self.describe(plan, start, end)}"
        )

    def fold_groups(
        self, plan: MeterPlan, group_by: list[str], filters: dict[str, list[str]], start: datetime, end: datetime
    ) -> dict[str, Fraction]:
        groups: dict[str, list[RawEvent]] = {}
        for event in self.history.list_raw():
            if all(name_dimension(plan, event, name).strip('"') in wanted for name, wanted in filters.items()):
                group = f"[{','.join(name_dimension(plan, event, name) for name in group_by)}]"
                groups.setdefault(group, []).append(event)
        begins = datetime.min.replace(tzinfo=start.tzinfo) if plan.carries_over else start
        counted = {
            group: events
            for group, events in groups.items()
            if any(begins <= at < end for at, _ in measure_events(plan, events))
        }
        return {group: fold_events(plan, events, start, end)[0] for group, events in counted.items()} or NO_GROUP

    def compare_limits(self) -> None:
        plans = {self.meter_ids[plan.key]: plan for plan in self.plans if plan.key in self.meter_ids}
        for limit in Limit.objects.filter(account_id=self.account_id):
            plan = plans[limit.meter_id]
            quantity, _ = self.fold(plan, limit.starts_at, limit.ends_at)
            assert Fraction(limit.used) == quantity, self.describe(plan, limit.starts_at, limit.ends_at)
            if limit.closed_at is not None:
                adjusted = Adjustment.objects.filter(limit=limit).aggregate(Sum("quantity", default=Decimal(0)))
                changed = Fraction(limit.used) - Fraction(self.used_at_close[limit.pk])
                assert Fraction(adjusted["quantity__sum"]) == changed, self.describe(
                    plan, limit.starts_at, limit.ends_at
                )

    def fold(self, plan: MeterPlan, start: datetime, end: datetime) -> tuple[Fraction, int]:
        return fold_events(plan, self.history.list_raw(), start, end)

    def describe(self, plan: MeterPlan, start: datetime, end: datetime) -> str:
        """All that is needed to see why."""
        events = "\n".join(map(str, sorted(self.history.list_raw(), key=lambda event: event.time)))
        return f"seed {self.name}\n{plan}\n[{start.isoformat()}, {end.isoformat()})\n{events}"


def split_by_clock(bucket: str, start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Where the hour, the day or the month on a wall clock turns: found by looking at it every quarter of an hour."""
    if start == end:
        return
    yield start
    moment = start.replace(minute=0, second=0, microsecond=0)
    shown = read_clock(bucket, start, zone)
    while (moment := moment + QUARTER) < end:
        if moment > start and read_clock(bucket, moment, zone) != shown:
            yield moment
            shown = read_clock(bucket, moment, zone)


def read_clock(bucket: str, moment: datetime, zone: ZoneInfo) -> tuple[object, ...]:
    local = moment.astimezone(zone)
    if bucket == "month":
        return local.year, local.month
    return (local.date(),) if bucket == "day" else (local.date(), local.hour, local.utcoffset())


def test_a_clock_is_looked_at_where_it_turns():
    """The reference itself, where summer time ends in Paris."""
    paris = ZoneInfo("Europe/Paris")
    midnight = datetime(2026, 10, 25, tzinfo=paris)
    start, end = (each.astimezone(ZoneInfo("UTC")) for each in (midnight, midnight + DAY))
    assert len(list(split_by_clock("hour", start, end, paris))) == 25
    assert end - start == 25 * HOUR
    assert list(split_by_clock("day", start - HOUR, end + HOUR, paris)) == [start - HOUR, start, end]
