"""Slices of a period, and what of one is told to Stripe: pure, no Django here.

A slice is an hour of UTC, cut by the period. Stripe takes whole seconds, and values of at most 15 digits; whether zeros
at the end count among them is not documented, so that they do here.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
SEAL = timedelta(minutes=5)  # after its end an hour is told: what comes later is a revision
OLDEST = timedelta(days=34, hours=23)  # Stripe takes nothing of more than 35 days ago
LARGEST = Decimal(10**15 - 1)  # fifteen digits
MOST_PARTS = 50
ONE = Decimal(1)


class NotForStripe(ValueError):
    """Usage that cannot be told to Stripe: it is too large for its digits, or longer ago than it looks back."""


@dataclass(frozen=True, slots=True)
class Slice:
    """[start, end), at most an hour of UTC."""

    start: datetime
    end: datetime


def floor_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def cut_slices(start: datetime, end: datetime) -> list[Slice]:
    """The slices of [start, end); none where it is empty."""
    slices = []
    while start < end:
        next_start = min(floor_hour(start) + HOUR, end)
        slices.append(Slice(start, next_start))
        start = next_start
    return slices


def find_sealed(start: datetime, end: datetime, *, at: datetime) -> datetime:
    """Up to where the usage of a period [start, end) is told: hours that are over, and all of it once the period is."""
    if end <= at:
        return end
    return max(min(floor_hour(at - SEAL), end), start)


def find_last_slice(start: datetime, end: datetime) -> Slice:
    """The slice that [start, end) ends with."""
    return Slice(max(floor_hour(end - timedelta.resolution), start), end)


def find_timestamp(part: Slice, revision: int) -> datetime:
    """In the middle of the slice, and a second later with each revision: so the last value is that of the last one."""
    middle = part.start + (part.end - part.start) // 2 + (revision - 1) * SECOND
    whole = min(middle, part.end - SECOND).replace(microsecond=0)
    return max(whole, part.start)


def is_too_old(part: Slice, *, at: datetime) -> bool:
    """Whether Stripe would refuse it for its time."""
    return find_timestamp(part, 1) < at - OLDEST


def split_value(value: Decimal) -> list[Decimal]:
    """Addends that are the value together, of at most 15 digits each. Raises NotForStripe."""
    whole, fraction = divmod(value.copy_abs(), ONE)
    count, rest = divmod(whole, LARGEST)
    if count >= MOST_PARTS:
        raise NotForStripe(f"{value:f} would take {count} meter events")
    parts = [LARGEST] * int(count)
    if count_digits(rest + fraction) <= len(LARGEST.as_tuple().digits):
        parts += [rest + fraction] if rest + fraction or not parts else []
    else:
        parts += [rest, fraction]
    return [-part for part in parts] if value < 0 else parts


def count_digits(value: Decimal) -> int:
    """Of the number as it is written, without zeros before it or at the end of its decimals."""
    text = f"{value.copy_abs():f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return len(text.replace(".", "").lstrip("0"))


def make_identifier(*, customer_id: str, event_name: str, start: datetime, revision: int, part: int) -> str:
    """What Stripe knows the event by: the same for the same slice, revision and part, and another for any other.

    It is of Stripe's own customer, so that another installation that talks to the same account makes others.
    """
    said = f"{customer_id}\n{event_name}\n{start.isoformat()}\n{revision}\n{part}"
    return f"palier_{hashlib.sha256(said.encode()).hexdigest()[:40]}"
