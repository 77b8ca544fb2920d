"""When the billing cycles of a subscription begin and end. Pure; unix seconds, all in UTC, cycles are `[start, end)`.

A cycle is found from the anchor, never from the cycle before it, so that a short month does not move the later ones:
31 January, 28 February, 31 March.
"""

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SECONDS = {"day": 86_400, "week": 604_800}
MONTHS = {"month": 1, "year": 12}


@dataclass(frozen=True, slots=True)
class Cycle:
    """An interval hung on an anchor. `day` is the day of the month that is meant where the anchor's month was short."""

    anchor: int
    interval: str
    count: int = 1
    day: int | None = None


def find_boundary(cycle: Cycle, number: int) -> int:
    """Where cycle `number` starts: the anchor is number 0, earlier ones are negative."""
    if cycle.interval in SECONDS:
        return cycle.anchor + number * cycle.count * SECONDS[cycle.interval]
    return add_months(cycle.anchor, number * cycle.count * MONTHS[cycle.interval], day=cycle.day)


def find_cycle(cycle: Cycle, at: int) -> tuple[int, int]:
    """The cycle that holds `at`: its first second and the first second after it."""
    number = _guess_number(cycle, at)
    while find_boundary(cycle, number) > at:
        number -= 1
    while find_boundary(cycle, number + 1) <= at:
        number += 1
    return find_boundary(cycle, number), find_boundary(cycle, number + 1)


def add_interval(at: int, interval: str, count: int = 1) -> int:
    """One interval after `at`, the day clamped to a short month."""
    return find_boundary(Cycle(at, interval, count), 1)


def add_months(at: int, months: int, *, day: int | None = None) -> int:
    """`months` after `at` on the same day of the month (or on `day`), or on the month's last day if it is shorter."""
    moment = read_moment(at)
    index = moment.year * 12 + moment.month - 1 + months
    year, month = divmod(index, 12)
    month += 1
    last = calendar.monthrange(year, month)[1]
    return write_moment(moment.replace(year=year, month=month, day=min(day or moment.day, last)))


def find_configured_anchor(start: int, config: dict[str, int | None]) -> int:
    """The first moment at or after `start` that a `billing_cycle_anchor_config` names.

    `day_of_month` beyond a month's end means its last day; an hour, minute or second not given is `start`'s own.
    """
    moment = read_moment(start)
    clock = {name: moment_part(moment, name, config.get(name)) for name in ("hour", "minute", "second")}
    day, wanted_month = config["day_of_month"] or 1, config.get("month")
    first = moment.replace(day=1, microsecond=0, hour=clock["hour"], minute=clock["minute"], second=clock["second"])
    for offset in range(25):
        candidate = add_months(write_moment(first), offset, day=day)
        if candidate >= start and wanted_month in (None, read_moment(candidate).month):
            return candidate
    raise ValueError("no month of two years matches the configuration")


def moment_part(moment: datetime, name: str, given: int | None) -> int:
    """A part of the clock: the one given, or the moment's own."""
    return int(getattr(moment, name)) if given is None else given


def read_moment(at: int) -> datetime:
    """Unix seconds as a moment in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at)


def write_moment(moment: datetime) -> int:
    """A moment in UTC as unix seconds."""
    return calendar.timegm(moment.utctimetuple())


def _guess_number(cycle: Cycle, at: int) -> int:
    if cycle.interval in SECONDS:
        return (at - cycle.anchor) // (cycle.count * SECONDS[cycle.interval])
    anchor, moment = read_moment(cycle.anchor), read_moment(at)
    months = (moment.year - anchor.year) * 12 + moment.month - anchor.month
    return months // (cycle.count * MONTHS[cycle.interval])
