"""Whether an event can be stored: its names, its time, its data. No database here."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from metering.events import (
    MAX_LENGTHS,
    CheckedEvent,
    EventFate,
    Fate,
    Measure,
    Skip,
    UsageEvent,
    claim_id,
    decode_data,
    digest_canonical,
    encode_canonical,
    encode_data,
    find_instant,
)
from metering.measuring import Measurer
from metering.seals import seal_content, write_content

DATA_MAX_BYTES = 64 * 1024  # what CloudEvents asks every carrier to let through
MAX_DEPTH = 32
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class Refusal(ValueError):
    """The event cannot be counted: a code for machines, the field, a sentence for people."""

    def __init__(self, code: str, field: str, message: str) -> None:
        super().__init__(message)
        self.code, self.field, self.message = code, field, message


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """The times that an event may have: [earliest, latest]."""

    earliest: datetime
    latest: datetime

    @classmethod
    def around(cls, at: datetime, *, max_age: timedelta, max_future: timedelta) -> "TimeWindow":
        """As far as there are times at all: whoever takes events of any age says a great many days."""
        return cls(earliest=at - min(max_age, at - FIRST), latest=at + min(max_future, LAST - at))

    def describe(self) -> str:
        return f"from {self.earliest:%Y-%m-%dT%H:%M:%SZ} to {self.latest:%Y-%m-%dT%H:%M:%SZ}"


class Glance(msgspec.Struct, frozen=True):
    """What one look at a whole batch rules out, so that its rows need not be searched for it one by one."""

    names_are_plain: bool  # present, short and printable
    data_is_plain: bool  # short, flat and without NUL

    @classmethod
    def over(cls, events: Sequence[UsageEvent], texts: Sequence[bytes]) -> "Glance":
        columns = {
            "source": {event.source for event in events},
            "id": [event.id for event in events],
            "type": {event.type for event in events},
            "subject": {event.subject for event in events},
        }
        names_are_plain = all(
            all(column) and max(map(len, column), default=0) <= MAX_LENGTHS[field] and "".join(column).isprintable()
            for field, column in columns.items()
        )
        whole = b"".join(texts)
        data_is_plain = (
            b"[" not in whole
            and all(text.startswith(b"{") for text in texts)
            and whole.count(b"{") == len(texts)  # one each
            and b"\\u0000" not in whole
            and max(map(len, texts), default=0) <= DATA_MAX_BYTES
        )
        return cls(names_are_plain, data_is_plain)


class Checker:
    """Checks events against the meters' types and the times allowed; one per batch."""

    def __init__(self, measurer: Measurer, *, window: TimeWindow, at: datetime) -> None:
        self.measurer, self.window, self.at = measurer, window, at

    def check(self, event: UsageEvent, data: bytes, glance: Glance) -> CheckedEvent:
        """`data` is the text of the event's own. Raises Refusal."""
        source, id_, type_, subject, time = event.source, event.id, event.type, event.subject, event.time
        if not glance.names_are_plain:
            check_names(event)
        if type_ not in self.measurer.gauges:
            raise self.refuse_type(type_)
        properties = decode_properties(data) if glance.data_is_plain else check_data(data)
        happened_at = self.at if time is None else self.check_time(time)
        instant = find_instant(happened_at)
        measures: tuple[Measure, ...] | None = self.measurer.constant.get(type_)
        skipped: tuple[Skip, ...] = ()
        if measures is None:
            measures, skipped = self.measurer.measure(type_, properties, happened_at)
        canonical = encode_canonical(properties)
        digest = digest_canonical(type_, subject, None if time is None else instant, canonical)
        seal = seal_content(write_content(source, id_, happened_at, type_, subject, canonical))
        claim = claim_id(source, id_)
        return CheckedEvent(
            claim, digest, seal, source, id_, type_, subject, happened_at, instant, data, measures, skipped
        )

    def check_time(self, time: datetime) -> datetime:
        if time.tzinfo is None:
            raise Refusal("invalid", "time", "The time needs its offset from UTC, as in 2026-11-01T12:00:00Z.")
        if time < self.window.earliest:
            raise Refusal("time_too_old", "time", f"The time is too old; it may be {self.window.describe()}.")
        if time > self.window.latest:
            raise Refusal("time_in_future", "time", f"The time is in the future; it may be {self.window.describe()}.")
        return time if time.tzinfo is UTC else time.astimezone(UTC)

    def refuse_type(self, type_: str) -> Refusal:
        known = sorted(self.measurer.gauges)
        shown = ", ".join(known[:10]) + (", …" if len(known) > 10 else "")
        return Refusal("unknown_type", "type", f"No meter counts this type; known are: {shown or 'none'}.")


def check_names(event: UsageEvent) -> None:
    """Raises Refusal when a required text is empty, too long, or holds what CloudEvents forbids in texts."""
    texts = {"source": event.source, "id": event.id, "type": event.type, "subject": event.subject}
    for field, text in texts.items():
        if not text:
            raise Refusal("required", field, f"The {field} may not be empty.")
        if len(text) > MAX_LENGTHS[field]:
            raise Refusal("too_long", field, f"The {field} may have at most {MAX_LENGTHS[field]} characters.")
        if CONTROL.search(text):
            raise Refusal("invalid", field, f"The {field} may not hold control characters or half a surrogate pair.")


def check_data(data: bytes) -> dict[str, Any]:
    """Decode an event's data; raises Refusal when it is no JSON object or holds what the database cannot keep."""
    if len(data) > DATA_MAX_BYTES:
        raise Refusal("too_long", "data", f"The data may have at most {DATA_MAX_BYTES} bytes.")
    properties = decode_properties(data)
    if is_deeper(properties, MAX_DEPTH):
        raise Refusal("invalid", "data", f"The data may be nested at most {MAX_DEPTH} deep.")
    if b"\\u0000" in data and holds_nul(properties):
        raise Refusal("invalid", "data", "The data may not hold the character NUL.")
    return properties


def decode_properties(data: bytes) -> dict[str, Any]:
    try:
        return decode_data(data)
    except RecursionError:
        raise Refusal("invalid", "data", f"The data may be nested at most {MAX_DEPTH} deep.") from None
    except ValueError as error:
        raise Refusal("invalid", "data", f"The data is no JSON object that can be kept: {error}.") from None


def data_text(data: dict[str, Any] | bytes | msgspec.Raw) -> bytes:
    text = encode_data(data) if isinstance(data, dict) else bytes(data)
    return b"{}" if text == b"null" else text  # null says as much as leaving it out


def is_deeper(value: object, levels: int) -> bool:
    """Whether lists and objects lie more than so many levels deep in each other. Looks no deeper than that."""
    if isinstance(value, dict):
        return levels == 0 or any(is_deeper(inner, levels - 1) for inner in value.values())
    if isinstance(value, list):
        return levels == 0 or any(is_deeper(inner, levels - 1) for inner in value)
    return False


def holds_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in key or holds_nul(inner) for key, inner in value.items())
    return isinstance(value, list) and any(map(holds_nul, value))


def refuse(event: UsageEvent, refusal: Refusal) -> EventFate:
    source, id_ = event.source[: MAX_LENGTHS["source"]], event.id[: MAX_LENGTHS["id"]]
    return EventFate(source, id_, Fate.REJECTED, refusal.code, refusal.field, refusal.message)
