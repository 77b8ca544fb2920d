"""Calendar months in a customer's time zone, as half-open windows of UTC. No Django here."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

# Zone files that name no place: `Factory` means "not set" and `localtime` is whatever the machine has.
NOT_A_ZONE = {"Factory", "localtime"}
HALF_A_MONTH = timedelta(days=15)


class UnknownTimeZone(ValueError):
    """The name is not in the IANA time zone database."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} is not a time zone; use a name such as UTC or Europe/Paris.")


@cache
def known_time_zones() -> frozenset[str]:
    return frozenset(available_timezones() - NOT_A_ZONE)


def find_zone(name: str) -> ZoneInfo:
    """The zone of that name. Raises UnknownTimeZone."""
    if name not in known_time_zones():
        raise UnknownTimeZone(name)
    return ZoneInfo(name)


def month_period(at: datetime, time_zone: str) -> tuple[datetime, datetime]:
    """The calendar month [start, end) in UTC that holds `at` (aware) as the zone's clocks show it.

    Where a clock change leaves no midnight on the first, the month begins at the change itself.
    """
    zone = find_zone(time_zone)
    local = at.astimezone(zone)
    start = datetime(local.year, local.month, 1, tzinfo=zone)
    year, month = divmod(local.year * 12 + local.month, 12)
    end = datetime(year, month + 1, 1, tzinfo=zone)
    return start.astimezone(UTC), end.astimezone(UTC)


def next_period(previous_end: datetime, time_zone: str) -> tuple[datetime, datetime]:
    """The month that follows a period which ended with a month: no gap, no overlap, even after a move to another zone.

    After a move the old zone's midnight may still be last month in the new one; half a month later it is the right
    month in every zone.
    """
    _, end = month_period(previous_end + HALF_A_MONTH, time_zone)
    return previous_end.astimezone(UTC), end


def list_periods(started_at: datetime, *, until: datetime, time_zone: str) -> Iterator[tuple[datetime, datetime]]:
    """The periods of a subscription from its first, partial month to the one that holds `until`.

    `until` may not lie before `started_at`.
    """
    start, end = started_at.astimezone(UTC), month_period(started_at, time_zone)[1]
    yield start, end
    while end <= until:
        start, end = next_period(end, time_zone)
        yield start, end
