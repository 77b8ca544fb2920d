"""Months as the people of an account see them: on the clocks of its billing profile."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from billing.periods import CALENDAR_MONTH, find_period
from billing.profiles import UnknownProfile, read_profile

MONTH = re.compile(r"\A(20[0-9]{2})-(0[1-9]|1[0-2])\Z")
FIRST_MONTH = "2000-01"


class UnknownMonth(ValueError):
    """Not a month between January 2000 and the present one."""


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month [start, end) in UTC. `slug` is `2026-11`; the neighbours are None where the calendar ends."""

    slug: str
    start: datetime
    end: datetime
    previous_slug: str | None
    next_slug: str | None


def find_time_zone(account_id: int) -> str:
    """The zone of the billing profile; UTC while nobody is known to pay. One query."""
    try:
        return read_profile(account_id).time_zone
    except UnknownProfile:
        return "UTC"


def find_month(slug: str, *, at: datetime, time_zone: str) -> Month:
    """The month of that slug, or the present one when the slug is empty. Raises UnknownMonth."""
    zone = ZoneInfo(time_zone)
    present = slug_of(at, zone)
    wanted = slug or present
    if not MONTH.match(wanted) or wanted > present:
        raise UnknownMonth(wanted)
    middle = datetime(int(wanted[:4]), int(wanted[5:]), 15, tzinfo=zone)
    start, end = find_period(middle, CALENDAR_MONTH, time_zone)
    return Month(
        slug=wanted,
        start=start,
        end=end,
        previous_slug=slug_of(start - timedelta(days=1), zone) if wanted > FIRST_MONTH else None,
        next_slug=slug_of(end, zone) if wanted < present else None,
    )


def slug_of(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m}"
