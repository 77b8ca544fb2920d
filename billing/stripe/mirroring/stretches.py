"""Where a stretch of a subscription begins and ends. Pure: from Palier's periods to what Stripe is to have."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.periods import Cycle, find_period, next_period
from billing.stripe.cycles import Anchor, choose_anchor, count_followed

LOOK_AHEAD = 13  # boundaries that an anchor is tried on: a year of months and one more


@dataclass(frozen=True, slots=True)
class PeriodFact:
    """A period [starts_at, ends_at) as Palier has it. One that is prorated began with a cut."""

    starts_at: datetime
    ends_at: datetime
    version_id: int
    is_free: bool
    is_prorated: bool


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a new subscription in Stripe begins as."""

    starts_at: datetime
    version_id: int
    trial_ends_at: datetime | None
    anchor: Anchor


def begin_stretch(period: PeriodFact, cycle: Cycle, zone: str) -> Stretch:
    """A stretch that begins with that period; `cycle` is that of its version, in the account's time zone.

    What comes after a trial hangs on the trial's end where whole cycles follow from there.
    """
    boundaries = [period.ends_at]
    while len(boundaries) <= LOOK_AHEAD:
        is_first_paid = period.is_free and len(boundaries) == 1
        after = find_period(boundaries[-1], cycle, zone) if is_first_paid else next_period(boundaries[-1], cycle, zone)
        boundaries.append(after[1])
    if not period.is_free:
        return Stretch(period.starts_at, period.version_id, None, choose_anchor(cycle.interval, boundaries))
    at_end = choose_anchor(cycle.interval, boundaries)
    is_whole = count_followed(at_end, cycle.interval, boundaries) > 0
    anchor = at_end if is_whole else choose_anchor(cycle.interval, boundaries[1:])
    return Stretch(period.starts_at, period.version_id, period.ends_at, anchor)


def find_end(
    periods: Sequence[PeriodFact],
    *,
    starts_at: datetime,
    version_id: int,
    trial_ends_at: datetime | None,
    is_running: bool,
    planned_end: datetime | None,
) -> datetime | None:
    """Where the stretch that began at `starts_at` ends, maybe ahead; None while it goes on.

    `periods` are the subscription's from then on. It ends where another version, a cut, a gap or another end of the
    trial breaks them, where the subscription stops running, or where its end or another plan is planned.
    """
    last: PeriodFact | None = None
    for each in periods:
        if each.version_id != version_id or each.starts_at != (last.ends_at if last else starts_at):
            break
        if last is not None and (each.is_prorated or each.is_free):
            break
        last = each
        if (
            each.starts_at == starts_at
            and each.ends_at != trial_ends_at
            and (each.is_free or trial_ends_at is not None)
        ):
            break
    else:
        if last is not None and is_running:
            return planned_end
    return last.ends_at if last else starts_at
