"""Random pasts: meters of every kind, and what one account did, sent in disorder, twice, too early and corrected.

All of it comes from one seed, so that what failed can be repeated.
"""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from metering.events import UsageEvent
from tests.metering.folding import CARRYING, FILTERS, PATHS, WORTHS, MeterPlan, RawEvent, Version

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
AGGREGATIONS = ("count", "sum", "min", "max", "avg", "latest", "unique", "weighted_sum", "percentile")
TYPES = ("call", "store")
DIMENSIONS = ((), (), ("region",), ("region", "tier"), ("tier", "region"))

# A zone, and a moment at which its clock, its day or its month is odd.
ANCHORS = (
    ("UTC", datetime(2026, 3, 1, tzinfo=UTC)),
    ("Europe/Paris", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ("Europe/Paris", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),  # half an hour back
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    ("Asia/Kolkata", datetime(2026, 5, 31, 18, 30, tzinfo=UTC)),
    ("Asia/Kathmandu", datetime(2026, 6, 30, 18, 15, tzinfo=UTC)),
    ("America/Santiago", datetime(2026, 9, 6, 4, tzinfo=UTC)),  # midnight is left out
    ("Pacific/Apia", datetime(2026, 1, 31, 11, tzinfo=UTC)),
)
NUMBERS: tuple[Any, ...] = (
    *(0, 1, 1, 2, 3, 5, -1, -4, 1000, 10**12, 10**25, -(10**25)),
    *map(Decimal, ("0.5", "1.0", "-2.25", "0.000000000001", "0.0000000000005", "3.14159265358979", "123456.789")),
    *(2, 4, 8, 10),
)
OTHERS: tuple[Any, ...] = ("5", "word", "", True, False, None, [1], {"inner": 1}, 10**26)


@dataclass
class History:
    """What happens to one account, step by step.

    `moments` are worth asking about, `palette` are the values that occur. `early` is sent before the account exists,
    then the `batches`, of which the last holds conflicts. `counting` are by id the events that count; of these
    `retracted` count no more, and others count in the place of the `replaced`. The `limited` meters have a limit over
    `limit_window`, which is closed before the batch of that number.
    """

    subject: str
    zone: str
    moments: list[datetime]
    palette: list[Any]
    early: list[UsageEvent] = field(default_factory=list)
    batches: list[list[UsageEvent]] = field(default_factory=list)
    counting: dict[str, UsageEvent] = field(default_factory=dict)
    retracted: list[str] = field(default_factory=list)
    replaced: dict[str, UsageEvent] = field(default_factory=dict)
    limit_window: tuple[datetime, datetime] | None = None
    closed_before: int = 0
    limited: list[str] = field(default_factory=list)

    def list_counting(self) -> list[UsageEvent]:
        """What counts in the end."""
        events = [event for id, event in self.counting.items() if id not in {*self.retracted, *self.replaced}]
        return [*events, *self.replaced.values()]

    def list_raw(self) -> list[RawEvent]:
        return [
            RawEvent(event.type, event.time, event.data)  # type: ignore[arg-type]  # made here, of dicts and times
            for event in self.list_counting()
        ]


def draw_plans(chance: random.Random, *, around: datetime) -> list[MeterPlan]:
    """One meter of each aggregation, and a few more."""
    aggregations = [*AGGREGATIONS, *chance.choices(AGGREGATIONS, k=3)]
    return [draw_plan(chance, f"m{n}-{each}", each, around=around) for n, each in enumerate(aggregations)]


def draw_plan(chance: random.Random, key: str, aggregation: str, *, around: datetime) -> MeterPlan:
    versions = [draw_version(chance, aggregation, None)]
    if chance.random() < 0.3:
        starts_at = around.replace(minute=0) + chance.randint(-30, 30) * HOUR
        versions.append(draw_version(chance, aggregation, starts_at))
    rounding = chance.choice(("", "", "round", "ceil", "floor"))
    return MeterPlan(
        key=key,
        aggregation=aggregation,
        versions=tuple(versions),
        carries_over=aggregation in CARRYING and chance.random() < 0.5,
        percentile=Decimal(chance.choice(("50", "95", "99.9", "100", "0.001")))
        if aggregation == "percentile"
        else None,
        rounding=rounding,
        rounding_places=chance.randint(-2, 3) if rounding else 0,
    )


def draw_version(chance: random.Random, aggregation: str, starts_at: datetime | None) -> Version:
    return Version(
        event_type=chance.choice(TYPES),
        worth="" if aggregation == "count" else chance.choice([*WORTHS, *PATHS, *PATHS]),
        filter=chance.choice(list(FILTERS)),
        dimensions=chance.choice(DIMENSIONS),
        starts_at=starts_at,
    )


def draw_history(chance: random.Random, subject: str, *, zone: str, around: datetime, meters: list[str]) -> History:
    moments = draw_moments(chance, zone, around)
    busy = chance.sample(moments, chance.choice((4, 10, len(moments))))  # few times and few values, so that some meet
    palette = [*chance.sample(NUMBERS, chance.choice((2, 5))), *chance.sample(OTHERS, chance.choice((0, 2)))]
    history = History(subject, zone, moments, palette)
    events = [draw_event(chance, subject, f"e{n}", busy, palette) for n in range(chance.choice((0, 3, 10, 25)))]
    history.counting = {event.id: event for event in events}
    repeated = chance.sample(events, len(events) // 5)
    sent = chance.sample([*events, *repeated], len(events) + len(repeated))
    cuts = sorted(chance.randint(0, len(sent)) for _ in range(3))
    pieces = [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    if chance.random() < 0.4:
        history.early = pieces.pop(0)
    conflicting = [draw_event(chance, subject, event.id, busy, palette) for event in repeated]
    history.batches = [*pieces, conflicting]
    draw_corrections(chance, history)
    if chance.random() < 0.7:
        start, end = sorted(chance.sample(moments, 2))
        if start < end:
            history.limit_window = (start, end)
            history.closed_before = chance.randint(0, len(history.batches) + 2)
            history.limited = chance.sample(meters, 3)
    return history


def draw_corrections(chance: random.Random, history: History) -> None:
    if not history.counting or chance.random() < 0.4:
        return
    ids = chance.sample(list(history.counting), min(len(history.counting), chance.randint(1, 4)))
    for id in ids:
        if chance.random() < 0.5:
            history.retracted.append(id)
        else:
            history.replaced[id] = draw_event(chance, history.subject, f"{id} again", history.moments, history.palette)


def draw_event(chance: random.Random, subject: str, id: str, moments: list[datetime], palette: list[Any]) -> UsageEvent:
    data: dict[str, Any] = {"v": chance.choice(palette), "status": chance.choice((200, 200, 404, 500, "500", None))}
    if chance.random() < 0.1:
        del data["v"]
    if chance.random() < 0.8:
        data["deep"] = {"w": chance.choice(palette)}
    if chance.random() < 0.8:
        data["region"] = chance.choice(("eu", "us", 'a "b"', None, 5, Decimal("5.50"), True))
    if chance.random() < 0.5:
        data["tier"] = chance.choice(("gold", "eu"))
    type_ = chance.choice((*TYPES, TYPES[0]))
    return UsageEvent(source=subject, id=id, type=type_, subject=subject, time=chance.choice(moments), data=data)


def draw_moments(chance: random.Random, zone: str, around: datetime) -> list[datetime]:
    """Times that are worth trying: full hours and local midnights, a moment before them, and any."""
    clock = ZoneInfo(zone)
    day = around.astimezone(clock)
    moments = [around, around - MICROSECOND, around + MICROSECOND]
    for _ in range(6):
        hour = around.replace(minute=0) + chance.randint(-60, 60) * HOUR
        midnight = datetime(day.year, day.month, day.day, tzinfo=clock).astimezone(UTC) + chance.randint(-3, 3) * DAY
        moments += [hour, hour - MICROSECOND, midnight, midnight - MICROSECOND]
        moments.append(around + timedelta(seconds=chance.uniform(-3 * 86_400, 3 * 86_400)))
    return moments
