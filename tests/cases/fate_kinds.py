"""Cases about what becomes of events: late, repeated, in a bad batch, too old."""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.test import override_settings

from billing.rating import per_unit, rate
from metering.events import EventFate, Fate, UsageEvent
from metering.ingest import ingest_events
from metering.limits import LimitTerms, close_window, hand_over_limits
from metering.meters import find_meter
from tests.cases.kinds import runs
from tests.cases.usage_kinds import ALL_HISTORY, DAY, Ground, prepare, read_time

NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)
KNOWN = {Fate.DUPLICATE, Fate.CONFLICT}


def make_event(id: str, time: datetime | None = NOW, *, source: str = "case", **data: Any) -> UsageEvent:
    return UsageEvent(source=source, id=id, type="action", subject="acme", time=time, data=data)


def send(*events: UsageEvent, at: datetime = NOW) -> list[EventFate]:
    return ingest_events(events, at=at, max_age=ALL_HISTORY)


def open_window(ground: Ground, start: datetime, end: datetime) -> None:
    terms = [LimitTerms(find_meter(ground.meter_key).id, quantity=None, is_hard=False)]
    hand_over_limits(account_ids=[ground.account_id], terms=terms, start=start, end=end, at=start)


@runs("late_event")
def run_late_event(given: dict[str, Any]) -> dict[str, Any]:
    """An event counts in the period of its own time until that is final; afterwards it is late: the next one's matter.

    To bill by arrival, leave an event's time out: it happens when it is received.
    """
    by_arrival = {"by_event_time_until_finalised": False, "by_arrival": True}[given["policy"]]
    start, end = map(read_time, given["period"])
    finalised_at, received_at = read_time(given["finalised_at"]), read_time(given["received_at"])
    ground = prepare("count")
    open_window(ground, start, end)
    if received_at >= finalised_at:
        close_window(account_id=ground.account_id, start=start, end=end, at=finalised_at)
    [fate] = send(make_event("1", None if by_arrival else read_time(given["event_time"])), at=received_at)
    inside, _ = ground.read(start, end)
    before, _ = ground.read(start - 400 * DAY, start)
    if fate.fate == Fate.LATE or not (inside or before):
        return {"billed_in": "next_period", "fate": fate.fate}
    return {"billed_in": "this_period" if inside else "previous_period", "fate": fate.fate}


@runs("half_open")
def run_half_open(given: dict[str, Any]) -> dict[str, Any]:
    cutoff, at = read_time(given["cutoff"]), read_time(given["at"])
    ground = prepare("count")
    ground.send([(at, {})])
    inside, _ = ground.read(min(cutoff, at) - DAY, cutoff)
    return {"inside": inside == 1}


@runs("cutoff_snapshot")
def run_cutoff_snapshot(given: dict[str, Any]) -> dict[str, Any]:
    """The invoice run closes the window: what is received after that is late, whenever it happened."""
    cutoff = read_time(given["cutoff"])
    entries = list(enumerate(given["entries"]))
    start = min([cutoff, *(read_time(entry["at"]) for _, entry in entries)]) - DAY
    ground = prepare("sum", "quantity")
    open_window(ground, start, cutoff)
    on_time = [(row, entry) for row, entry in entries if read_time(entry["created_at"]) <= cutoff]
    receive_entries(on_time)
    quantity, _ = ground.read(start, cutoff)
    close_window(account_id=ground.account_id, start=start, end=cutoff, at=cutoff)
    late = receive_entries((row, entry) for row, entry in entries if (row, entry) not in on_time)
    unit_amount = Decimal(given["unit_price_minor"]) / 100
    line = rate(per_unit("Usage", meter_key=ground.meter_key, unit_amount=unit_amount), quantity)
    billed = [row for row, entry in on_time if read_time(entry["at"]) < cutoff]
    return {
        "amount_minor": line.round("EUR").minor,
        "billed_rows": billed,
        "late_rows": [row for row, fate in late.items() if fate == Fate.LATE],
    }


def receive_entries(entries: Iterable[tuple[int, dict[str, Any]]]) -> dict[int, Fate]:
    fates = {}
    for row, entry in entries:
        event = make_event(str(row), read_time(entry["at"]), quantity=Decimal(entry["quantity"]))
        [fates[row]] = [
            fate.fate for fate in send(event, at=max(read_time(entry["created_at"]), read_time(entry["at"])))
        ]
    return fates


@runs("idempotency")
def run_idempotency(given: dict[str, Any]) -> dict[str, Any]:
    """A key is an event's id. Where it is one customer's or one subscription's own, that is the event's source."""
    ground = prepare("sum")
    fates = run_steps(given["steps"]) if "steps" in given else []
    scope = given.get("scope")
    for event in given.get("events", []):
        source = f"{scope}:{event[scope]}" if scope in event else event.get("source", "case")
        fates += send(make_event(event["key"], source=source, value=Decimal(event["value"])))
    total, _ = ground.read(NOW, NOW + DAY)
    counted = Counter(fate.fate for fate in fates)
    return {
        "sum": total,
        "accepted": counted[Fate.ACCEPTED],
        "duplicates": sum(counted[fate] for fate in KNOWN),  # of the key, whatever else the event says
        "conflicts": counted[Fate.CONFLICT],
    }


class WriteFails(Exception):
    """Stands for whatever breaks a write after the key was claimed."""


def run_steps(steps: list[str]) -> list[EventFate]:
    """`claim KEY [value V]`, `write fails`, `write succeeds`, `retry KEY [value V]`: claim and write are at once."""
    fates: list[EventFate] = []
    claimed: UsageEvent | None = None
    for step in steps:
        if step == "write fails":
            assert claimed is not None, "nothing was claimed that could fail"
            try:
                with transaction.atomic():
                    send(claimed)
                    raise WriteFails
            except WriteFails:
                claimed = None
            continue
        if step == "write succeeds":
            assert claimed is not None, "nothing was claimed that could be written"
            fates, claimed = fates + send(claimed), None
            continue
        found = re.fullmatch(r"(claim|retry|send) (\S+)(?: value (\S+))?", step)
        assert found is not None, f"the step {step!r} is none that can be taken"
        if claimed is not None:
            fates += send(claimed)
        verb, key, value = found.groups()
        event = make_event(key, value=Decimal(value or "1"))
        claimed = event if verb == "claim" else None
        fates += [] if verb == "claim" else send(event)
    return fates + (send(claimed) if claimed is not None else [])


class BatchRefused(Exception):
    """Undoes a batch whose sender wants all of it or nothing."""


@runs("batch")
def run_batch(given: dict[str, Any]) -> dict[str, Any]:
    """Rows stand alone. A sender who wants all or nothing opens the transaction, looks at the fates and undoes it."""
    all_or_nothing = {"per_row": False, "all_or_nothing": True}[given["policy"]]
    ground = prepare("count")
    send(make_event("known"))
    before, _ = ground.read(NOW, NOW + DAY)
    events = [make_row(row, number) for number, row in enumerate(given["rows"])]
    fates: list[EventFate] = []
    try:
        with transaction.atomic():
            fates = send(*events)
            if all_or_nothing and any(fate.fate != Fate.ACCEPTED for fate in fates):
                raise BatchRefused
    except BatchRefused:
        pass
    rows = {fate: [row for row, each in enumerate(fates) if each.fate == fate] for fate in Fate}
    after, _ = ground.read(NOW, NOW + DAY)
    return {
        "accepted": after - before,
        "rejected_rows": [row for row, each in enumerate(fates) if each.fate != Fate.ACCEPTED],
        "duplicate_rows": rows[Fate.DUPLICATE],
        "conflict_rows": rows[Fate.CONFLICT],
        "invalid_rows": rows[Fate.REJECTED],
        "unmatched_rows": rows[Fate.UNMATCHED],
    }


def make_row(row: str, number: int) -> UsageEvent:
    match row:
        case "ok":
            return make_event(f"new {number}")
        case "duplicate":
            return make_event("known")
        case "conflict":
            return make_event("known", other=number)
        case "invalid":
            return make_event("")
        case "unmatched":
            return UsageEvent(source="case", id=f"new {number}", type="action", subject="nobody", time=NOW)
    raise AssertionError(f"a row of a batch cannot be {row!r}")


@runs("time_window")
def run_time_window(given: dict[str, Any]) -> dict[str, Any]:
    prepare("count")
    times = [NOW + timedelta(seconds=offset) for offset in given["offsets_seconds"]]
    events = [make_event(str(number), time) for number, time in enumerate(times)]
    with override_settings(EVENT_MAX_FUTURE_MINUTES=given["max_future_seconds"] / 60):
        fates = ingest_events(events, at=NOW, max_age=timedelta(seconds=given["max_past_seconds"]))
    return {"accepted": [fate.fate == Fate.ACCEPTED for fate in fates]}
