"""When a message may be sent: after quiet hours, or with its digest, by the account's own clock. No Django here."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DIGEST_HOUR = time(8)
MONDAY = 0
DAY = timedelta(days=1)


def find_digest_time(digest: str, *, at: datetime, zone: ZoneInfo) -> datetime:
    """The next eight o'clock after `at`, of a weekly digest on a Monday; `at` itself where there is no digest."""
    if digest == "none":
        return at
    day = at.astimezone(zone).date()
    while True:
        moment = find_moment(day, DIGEST_HOUR, zone)
        if moment > at and (digest == "daily" or day.weekday() == MONDAY):
            return moment
        day += DAY


def find_quiet_end(at: datetime, *, quiet_from: time, quiet_until: time, zone: ZoneInfo) -> datetime:
    """When the quiet hours end in which `at` lies; `at` itself outside of them. They may pass midnight."""
    local = at.astimezone(zone)
    clock = local.time()
    if quiet_from < quiet_until:
        is_quiet = quiet_from <= clock < quiet_until
    else:
        is_quiet = clock >= quiet_from or clock < quiet_until
    if not is_quiet:
        return at
    day = local.date() if clock < quiet_until else local.date() + DAY
    return max(at, find_moment(day, quiet_until, zone))


def find_moment(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, tzinfo=zone).astimezone(UTC)
