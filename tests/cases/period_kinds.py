"""Cases about where periods begin and end."""

from datetime import UTC, date, datetime
from typing import Any

from billing.periods import (
    CALENDAR_MONTH,
    Cycle,
    Interval,
    count_days,
    find_period,
    find_zone,
    list_periods,
    next_period,
)
from tests.cases.kinds import runs
from tests.cases.usage_kinds import read_time

HALVES = dict.fromkeys(["half-year", "half", "semiannual", "semi-annual", "biannual"], "half_year")


def read_interval(text: str) -> Interval:
    """The product's own names, and the ones that others have for half a year."""
    return Interval(HALVES.get(text, text))


def read_local(text: str, zone: str) -> datetime:
    """A date or a time, on the zone's clocks unless it says otherwise."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=find_zone(zone))


@runs("period_sequence")
def run_period_sequence(given: dict[str, Any]) -> dict[str, Any]:
    """Where the anchor is a date, so are the starts."""
    zone = given.get("timezone", "UTC")
    anchor = read_local(given["anchor"], zone)
    periods = list_periods(
        anchor,
        Cycle(read_interval(given["interval"]), anchor),
        until=datetime.max.replace(year=9000, tzinfo=UTC),
        time_zone=zone,
    )
    found = [next(periods) for _ in range(int(given["count"]))]
    dates_only = len(given["anchor"]) == len(date.min.isoformat())

    def show(moment: datetime) -> datetime | str:
        return moment.astimezone(find_zone(zone)).date().isoformat() if dates_only else moment

    return {"starts": [show(start) for start, _ in found], "ends": [show(end) for _, end in found]}


@runs("period_containing")
def run_period_containing(given: dict[str, Any]) -> dict[str, Any]:
    zone = given.get("timezone", "UTC")
    cycle = Cycle(read_interval(given["interval"]), read_local(given["anchor"], zone))
    start, end = find_period(read_time(given["at"]), cycle, zone)
    return {"start": start, "end": end}


@runs("tz_change")
def run_tz_change(given: dict[str, Any]) -> dict[str, Any]:
    """The month before was opened on the old clocks; the customer moves before the month in question is."""
    year, month = map(int, given["calendar_month"].split("-"))
    old, new = given["previous_timezone"], given["new_timezone"]
    middle = datetime(year, month, 15, tzinfo=UTC)
    start, _ = find_period(middle, CALENDAR_MONTH, old)
    start, end = next_period(start, CALENDAR_MONTH, new)
    return {"start": start, "end": end}


@runs("calendar_days")
def run_calendar_days(given: dict[str, Any]) -> dict[str, Any]:
    zone = given["timezone"]
    return {"days": count_days(read_local(given["from_local"], zone), read_local(given["to_local"], zone), zone)}


@runs("days_in_period")
def run_days_in_period(given: dict[str, Any]) -> dict[str, Any]:
    zone = given.get("timezone", "UTC")
    middle = datetime(int(given["year"]), int(given.get("month", 1)), 15, tzinfo=UTC)
    start, end = find_period(middle, Cycle(read_interval(given.get("interval", "month"))), zone)
    return {"days": count_days(start, end, zone)}
