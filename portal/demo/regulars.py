"""Regular customers, whose past the demo lives through day by day: what was said of their limits is graded by now.

The log is three days of one site. What a forecast is worth shows over months, so these six are made up, each with a way
of its own to use a plan of 250 requests a month. Nobody draws lots: the same day gives the same usage.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from billing.periods import CALENDAR_MONTH, find_period
from billing.subscriptions import create_subscriptions, open_next_periods
from metering.accounts import create_accounts, read_names
from metering.alerts import check_limits
from metering.events import UsageEvent
from metering.forecast import forecast_moved_limits
from metering.ingest import ingest_events

PLAN, ALLOWED = "business", 250  # requests a month
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
FIRST_HOUR, HOURS = 8, 10  # of a day, UTC, over which its requests are spread
BYTES = 100_000
FORECAST_EVERY = 3  # days
SOURCE = "demo:regulars"


@dataclass(frozen=True, slots=True)
class Regular:
    """`requests` says how many there are on a day, by the number of the month (0 or 1, and 2 for what runs) and day."""

    key: str
    name: str
    requests: Callable[[int, int], int]


REGULARS = [
    Regular("harbour-ferries", "Harbour Ferries", lambda month, day: 6),
    Regular("lindenhof-hotel", "Lindenhof Hotel", lambda month, day: 6 + month * (1 + day // 5)),
    Regular("kestrel-maps", "Kestrel Maps", lambda month, day: 14 if (month, day) >= (1, 10) else 5),
    Regular("orchard-cider", "Orchard Cider", lambda month, day: 10),
    Regular("quill-press", "Quill Press", lambda month, day: 15 if day <= 12 else 3),
    Regular("tundra-weather", "Tundra Weather", lambda month, day: max(2, 9 - 3 * month - day // 10)),
]


def list_months(at: datetime) -> list[tuple[datetime, datetime]]:
    """The two calendar months before that of `at`, and that one."""
    month = find_period(at, CALENDAR_MONTH, "UTC")
    months = [month]
    for _ in range(2):
        months.insert(0, find_period(months[0][0] - DAY, CALENDAR_MONTH, "UTC"))
    return months


@transaction.atomic
def live_through(*, at: datetime) -> int:
    """Everything that happened to them until the last midnight, as if at its time; returns how many days.

    In one transaction: nobody meanwhile sees a part of the past, and takes it for the present. Who is there already has
    a past: a second call lives through nothing.
    """
    if read_names([each.key for each in REGULARS]):
        return 0
    months = list_months(at)
    start = months[0][0]
    ids = create_accounts([(each.key, each.name) for each in REGULARS], at=start)
    create_subscriptions(account_ids=ids.values(), plan_slug=PLAN, started_at=start, at=start)
    days = list(list_days(start, at))
    for number, day in enumerate(days):
        evening = day + DAY
        check_limits(at=evening)  # before usage comes, which would else be found late, after an outage
        ingest_events(list(use(day, months)), at=evening)
        if number % FORECAST_EVERY == 0:
            open_next_periods(evening)
            forecast_moved_limits(at=evening)
    check_limits(at=at)
    return len(days)


def list_days(start: datetime, at: datetime) -> Iterator[datetime]:
    """Whole days, from `start` on."""
    while start + DAY <= at:
        yield start
        start += DAY


def use(day: datetime, months: list[tuple[datetime, datetime]]) -> Iterator[UsageEvent]:
    """The events of a day, spread over its hours."""
    for each in REGULARS:
        for number in range(count_requests(each, day, months)):
            yield UsageEvent(
                source=SOURCE,
                id=f"{each.key}-{day:%Y-%m-%d}-{number}",
                type="http.request",
                subject=each.key,
                time=day + (FIRST_HOUR + number % HOURS) * HOUR,
                data={"bytes": BYTES},
            )


def count_requests(regular: Regular, day: datetime, months: list[tuple[datetime, datetime]]) -> int:
    month = next(number for number, (start, end) in enumerate(months) if start <= day < end)
    return regular.requests(month, day.day)


def count_reached(at: datetime) -> int:
    """How many of them came to their limit in the two months that are over, worked out without the product."""
    months = list_months(at)
    totals = [
        sum(count_requests(each, day, months) for day in list_days(start, end))
        for each in REGULARS
        for start, end in months[:2]
    ]
    return sum(total >= ALLOWED for total in totals)
