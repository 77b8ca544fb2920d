"""What the tests of metering, and those above it, measure with."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from metering.accounts import AccountRef, create_account
from metering.events import EventFate, UsageEvent
from metering.ingest import ingest_events
from metering.keys import IssuedKey, issue_key
from metering.meters import MeterRef, create_meter

NOON = datetime(2026, 11, 10, 12, 0, tzinfo=UTC)


def make_account(key: str = "acme", *, name: str = "", aliases: Sequence[str] = (), at: datetime = NOON) -> AccountRef:
    return create_account(key=key, name=name or key.title(), aliases=aliases, at=at)


def make_meter(
    key: str = "requests",
    *,
    name: str = "",
    event_type: str = "request",
    value: str = "",
    unit: str = "",
    at: datetime = NOON,
) -> MeterRef:
    """Counts events of the type; sums their property when one is named."""
    return create_meter(
        key=key,
        name=name or key.title(),
        event_type=event_type,
        aggregation="sum" if value else "count",
        value=value,
        unit=unit or key.removesuffix("s"),
        at=at,
    )


def make_event(
    id: str = "1",
    *,
    subject: str = "acme",
    time: datetime | None = NOON,
    type: str = "request",
    source: str = "test",
    **data: Any,
) -> UsageEvent:
    return UsageEvent(source=source, id=id, type=type, subject=subject, time=time, data=data)


def make_events(
    count: int,
    *,
    subject: str = "acme",
    time: datetime | None = NOON,
    type: str = "request",
    source: str = "test",
    first: int = 1,
    at: datetime | None = None,
    **data: Any,
) -> list[EventFate]:
    """Ingest so many events with ids `first`, `first + 1`, … and return their fates."""
    ids = map(str, range(first, first + count))
    events = [make_event(each, subject=subject, time=time, type=type, source=source, **data) for each in ids]
    return ingest_events(events, at=at or time or NOON)


def make_key(name: str = "integrator", *, at: datetime = NOON, expires_at: datetime | None = None) -> IssuedKey:
    return issue_key(name=name, scopes=["events:write"], at=at, expires_at=expires_at)
