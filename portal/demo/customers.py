"""The clients of the demo's log as customers: each an account, on the plan that fits its size."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.periods import CALENDAR_MONTH, find_period
from billing.plans import PlanTerms, list_plans
from billing.subscriptions import create_subscriptions, open_next_periods
from metering.accounts import create_accounts
from portal.demo.catalogue import BANDWIDTH, REQUESTS, fit_plan
from portal.demo.log import Request, count_by_client

OLD_CUSTOMERS = 100  # so many of the busiest clients were customers the month before


@dataclass(frozen=True, slots=True)
class Cast:
    """Who is who when the log's times are moved by `shift`."""

    requests: Sequence[Request]
    shift: timedelta

    @property
    def start(self) -> datetime:
        return min(request.time for request in self.requests) + self.shift

    @property
    def end(self) -> datetime:
        return max(request.time for request in self.requests) + self.shift

    @property
    def old_customers(self) -> set[str]:
        return {client for client, _count in count_by_client(self.requests).most_common(OLD_CUSTOMERS)}

    @property
    def month_before(self) -> tuple[datetime, datetime]:
        """The calendar month before the one in which the log begins."""
        this_month, _end = find_period(self.start, CALENDAR_MONTH, "UTC")
        return find_period(this_month - timedelta(days=1), CALENDAR_MONTH, "UTC")

    def sum_by_window(self) -> Counter[tuple[str, str, datetime]]:
        """Client, meter, month → usage. The log touches two months when it spans a month's end."""
        sums: Counter[tuple[str, str, datetime]] = Counter()
        for request in self.requests:
            month = (request.time + self.shift).replace(day=1, hour=0, minute=0, second=0)
            sums[request.client, REQUESTS, month] += 1
            sums[request.client, BANDWIDTH, month] += request.bytes
        return sums

    def fit_plans(self, plans: Sequence[PlanTerms]) -> dict[str, PlanTerms]:
        """Client → plan, by the requests of the client's fullest month."""
        fullest: Counter[str] = Counter()
        for (client, meter, _month), used in self.sum_by_window().items():
            if meter == REQUESTS:
                fullest[client] = max(fullest[client], used)
        return {client: fit_plan(plans, count) for client, count in fullest.items()}


def create_customers(cast: Cast, *, at: datetime) -> int:
    """Make every client an account with a subscription. Returns how many were subscribed; a second call finds them.

    They subscribe at the time of the log's first request, so that their limits are watched from then on; the busiest
    were customers the month before already, and will get an invoice for it.
    """
    fitting = cast.fit_plans(list_plans(at=at))
    ids = create_accounts([(client, "") for client in fitting], at=cast.start)
    month_before, this_month = cast.month_before
    old_customers = cast.old_customers
    groups: dict[tuple[str, datetime], list[int]] = {}
    for client, plan in fitting.items():
        started_at = month_before if client in old_customers else this_month
        groups.setdefault((plan.slug, started_at), []).append(ids[client])
    subscribed = sum(
        create_subscriptions(account_ids=account_ids, plan_slug=plan_slug, started_at=started_at, at=cast.start)
        for (plan_slug, started_at), account_ids in groups.items()
    )
    open_next_periods(at)
    return subscribed
