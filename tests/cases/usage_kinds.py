"""Cases about quantities: real events, ingested, counted in rollups and read over a window."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from metering.aggregations import prorate_sum, prorate_unique, round_quantity
from metering.events import EventFate, UsageEvent
from metering.ingest import ingest_events
from metering.meters import create_meter
from metering.usage import read_usage
from tests.cases.cases import ROUNDINGS, read_number
from tests.cases.kinds import runs
from tests.metering.makers import make_account

ALL_HISTORY = timedelta(days=40_000)
DAY = timedelta(days=1)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Measured:
    quantity: Decimal
    event_count: int
    skipped: int


@dataclass(frozen=True)
class Ground:
    """An account and a meter, made for one case."""

    account_id: int
    meter_key: str

    def send(self, rows: Iterable[tuple[datetime, dict[str, Any]]]) -> list[EventFate]:
        """Ingest (time, data) at once, received when the last of them has happened."""
        events = [
            UsageEvent(source="case", id=str(number), type="action", subject="acme", time=time, data=data)
            for number, (time, data) in enumerate(rows)
        ]
        at = max((event.time for event in events if event.time is not None), default=EPOCH)
        return ingest_events(events, at=at, max_age=ALL_HISTORY)

    def read(self, start: datetime, end: datetime) -> tuple[Decimal, int]:
        reading = read_usage(account_id=self.account_id, meter_key=self.meter_key, start=start, end=end)
        return reading.quantity, reading.event_count


def prepare(aggregation: str, value: str = "value", **terms: Any) -> Ground:
    account = make_account("acme", at=EPOCH)
    meter = create_meter(
        key="measured",
        name="Measured",
        event_type="action",
        aggregation=aggregation,
        value="" if aggregation == "count" else value,
        unit="unit",
        at=EPOCH,
        **terms,
    )
    return Ground(account.id, meter.key)


def measure(
    ground: Ground, rows: Sequence[tuple[datetime, dict[str, Any]]], *, start: datetime, end: datetime
) -> Measured:
    fates = ground.send(rows)
    quantity, event_count = ground.read(start, end)
    return Measured(quantity, event_count, skipped=sum(len(fate.skipped) for fate in fates))


def read_time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def span(times: Sequence[datetime], given: dict[str, Any]) -> tuple[datetime, datetime]:
    """The period that the case names, or else one around all of its events."""
    first, last = min(times, default=EPOCH), max(times, default=EPOCH)
    start = read_time(given["period_start"]) if "period_start" in given else first
    end = read_time(given["period_end"]) if "period_end" in given else last + DAY
    return start, end


@runs("aggregate")
def run_aggregate(given: dict[str, Any]) -> dict[str, Any]:
    aggregation = given["aggregation"]
    terms: dict[str, Any] = {"carries_over": bool(given.get("carries_over"))}
    if aggregation == "percentile":
        terms["percentile"] = Decimal(str(given.get("percentile", 95)))
    # An id that is written in digits is still an id: distinct values stay what they are.
    keep = aggregation == "unique"
    rows = [(read_time(time), {"value": value if keep else read_number(value)}) for time, value in given["events"]]
    start, end = span([time for time, _ in rows], given)
    found = measure(prepare(aggregation, **terms), rows, start=start, end=end)
    return {"value": found.quantity, "skipped": found.skipped, "event_count": found.event_count}


@runs("expression")
def run_expression(given: dict[str, Any]) -> dict[str, Any]:
    rows = [(EPOCH, read_numbers(event)) for event in given["events"]]
    ground = prepare(given.get("aggregation", "sum"), given["expression"])
    found = measure(ground, rows, start=EPOCH, end=EPOCH + DAY)
    return {"value": found.quantity, "skipped": found.skipped}


def read_numbers(value: Any) -> Any:
    """A case writes numbers as text, at any depth."""
    if isinstance(value, dict):
        return {name: read_numbers(inner) for name, inner in value.items()}
    return read_number(value)


@runs("weighted_sum")
def run_weighted_sum(given: dict[str, Any]) -> dict[str, Any]:
    """The level at the start is a change that came before it."""
    start, end = read_time(given["period_start"]), read_time(given["period_end"])
    rows = [(read_time(time), {"value": Decimal(value)}) for time, value in given["events"]]
    rows.append((start - DAY, {"value": Decimal(given.get("initial", "0"))}))
    found = measure(prepare("weighted_sum", carries_over=True), rows, start=start, end=end)
    return {"value": found.quantity}


@runs("boundary_count")
def run_boundary_count(given: dict[str, Any]) -> dict[str, Any]:
    """`total` is what was counted until the end of the period: each event in one part of it."""
    start, end = read_time(given["period_start"]), read_time(given["period_end"])
    times = [read_time(time) for time in given["event_times"]]
    ground = prepare("count")
    ground.send((time, {}) for time in times)
    first, last = min([start, *times]), max([end, *times]) + DAY
    before, _ = ground.read(first, start)
    inside, _ = ground.read(start, end)
    total, _ = ground.read(first, end)
    after, _ = ground.read(end, last)
    return {"before": before, "inside": inside, "after": after, "total": total}


@runs("prorated_sum")
def run_prorated_sum(given: dict[str, Any]) -> dict[str, Any]:
    additions = [(Decimal(each["value"]), int(each["days_remaining_inclusive"])) for each in given["additions"]]
    carried = Decimal(given.get("carried", "0"))
    return {"value": prorate_sum(additions, carried=carried, period_days=int(given["period_days"]))}


@runs("prorated_unique")
def run_prorated_unique(given: dict[str, Any]) -> dict[str, Any]:
    active_days = [int(days) for days in given["active_days"]]
    return {"value": prorate_unique(active_days, period_days=int(given["period_days"]))}


@runs("round_quantity")
def run_round_quantity(given: dict[str, Any]) -> dict[str, Any]:
    """The product's own names are round, ceil, floor and '' for not at all."""
    function = given.get("function") or ""
    rounded = round_quantity(Decimal(given["value"]), ROUNDINGS.get(function, function), int(given.get("places") or 0))
    return {"value": rounded}
