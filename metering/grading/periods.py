"""The days that a report is about, as people name them: `2026-09-01` is midnight UTC."""

from argparse import ArgumentTypeError
from datetime import UTC, date, datetime, time, timedelta

DEFAULT_DAYS = 90


def read_day(text: str) -> datetime:
    """Midnight of a day of the calendar. Raises ArgumentTypeError, which `argparse` shows."""
    try:
        return start_day(date.fromisoformat(text))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no day like 2026-09-01") from None


def start_day(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def list_last_days(*, at: datetime) -> tuple[datetime, datetime]:
    """The last 90 days, the running one included."""
    end = start_day(at.astimezone(UTC).date()) + timedelta(days=1)
    return end - timedelta(days=DEFAULT_DAYS), end
