"""Where the cycles of a subscription in Stripe begin and end, and how to hang them up so that they are our periods.

Stripe counts in UTC from an anchor: a day that a month does not have is its last one (docs.stripe.com, "Set the
subscription billing renewal date"). That is Palier's own rule on the clocks of UTC, so the same maths serve. No Django.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from billing.periods import Cycle, Interval, find_period

DAY = timedelta(days=1)
# Days of the month that a short one does not have: an anchor on its last day may have meant any of them.
LATE_DAYS = (31, 30, 29)
RECURRENCE = {
    Interval.DAY: ("day", 1),
    Interval.WEEK: ("week", 1),
    Interval.MONTH: ("month", 1),
    Interval.QUARTER: ("month", 3),
    Interval.HALF_YEAR: ("month", 6),
    Interval.YEAR: ("year", 1),
}  # interval → Stripe's interval and how many of it


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where a subscription's first whole cycle begins; `day` is of the month, where the anchor's own is not meant."""

    at: datetime
    day: int | None = None


@dataclass(frozen=True, slots=True)
class Hanging:
    """One subscription in Stripe: from when its cycles count, until when it is free, and its anchor."""

    starts_at: datetime
    trial_ends_at: datetime | None
    interval: Interval
    anchor: Anchor


def find_cycle(hanging: Hanging, at: datetime) -> tuple[datetime, datetime]:
    """The cycle [start, end) in UTC that holds `at`, which is not before the start.

    A trial is a cycle of its own; what lies between it, or the start, and the anchor is a shorter one.
    """
    trial_end = hanging.trial_ends_at
    if trial_end is not None and at < trial_end:
        return hanging.starts_at, trial_end
    start, end = find_period(at, Cycle(hanging.interval, recall_anchor(hanging.anchor)), "UTC")
    return max(start, hanging.starts_at, trial_end or start), end


def recall_anchor(anchor: Anchor) -> datetime:
    """A moment with the day that is meant, from which months count as they do in Stripe; January has each."""
    moment = anchor.at.astimezone(UTC)
    return moment if anchor.day is None else moment.replace(month=1, day=anchor.day)


def choose_anchor(interval: Interval, boundaries: Sequence[datetime]) -> Anchor:
    """The anchor on the first of the boundaries whose cycles follow the others longest, the plain one where all do.

    A month that ends on its last day may mean the 29th, 30th or 31st; Stripe takes such a day for months alone.
    """
    first = boundaries[0].astimezone(UTC)
    candidates = [Anchor(first)]
    if interval is Interval.MONTH:
        candidates += [Anchor(first, day) for day in LATE_DAYS if first.day < day and (first + DAY).day == 1]
    return max(candidates, key=lambda each: count_followed(each, interval, boundaries))


def count_followed(anchor: Anchor, interval: Interval, boundaries: Sequence[datetime]) -> int:
    """How many of the boundaries after the first come one after the other from that anchor."""
    cycle = Cycle(interval, recall_anchor(anchor))
    count, last = 0, boundaries[0]
    for boundary in boundaries[1:]:
        if find_period(last, cycle, "UTC") != (last, boundary):
            break
        count, last = count + 1, boundary
    return count
