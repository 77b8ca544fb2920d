"""What the open period costs so far: the invoice it would be, computed by the invoice's own functions."""

from dataclasses import dataclass
from datetime import datetime

from billing import plans
from billing.lines import LineFact, add_lines, rate_period
from billing.subscriptions import read_subscription

PreviewLine = LineFact


class NotSubscribed(LookupError):
    """The account has no subscription at that time, hence nothing to pay."""


@dataclass(frozen=True, slots=True)
class InvoicePreview:
    """The bill of [start, end) as it stands. `total_minor` is the sum of the rounded lines."""

    currency: str
    total_minor: int
    lines: tuple[PreviewLine, ...]
    start: datetime
    end: datetime


def preview_period(*, account_id: int, at: datetime) -> InvoicePreview:
    """The live cost of the period that holds `at`; flat fees count in full from its first day. Raises NotSubscribed."""
    subscription = read_subscription(account_id=account_id, at=at)
    if subscription is None:
        raise NotSubscribed(f"Account {account_id} has no subscription at {at}.")
    start, end = subscription.period_start, subscription.period_end
    terms = plans.read_version(subscription.version_id)
    lines = () if subscription.is_free else rate_period(terms, account_id=account_id, start=start, end=end)
    total = add_lines(lines, subscription.currency)
    return InvoicePreview(currency=subscription.currency, total_minor=total.minor, lines=lines, start=start, end=end)
