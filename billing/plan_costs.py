"""What real usage comes to on a plan, whosesoever it is: the common ground on which plans are compared.

It is what a plan itself asks: prices with seats and add-ons, at least the commitment, less the credit that it includes.
What is one account's alone stays out: items, discounts, taxes and its wallet.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

from billing import plans
from billing.commitments import true_up
from billing.composing import make_commitment_line
from billing.details import Details, project_usage, read_details
from billing.holdings import Held
from billing.lines import TOO_MUCH, LineFact, add_lines, rate_readings
from billing.models import Period
from billing.plans import PlanTerms
from billing.proration import WHOLE, prorate
from billing.shares import read_part
from billing.subscriptions import SubscriptionFact
from metering import usage
from metering.usage import Reading


@dataclass(frozen=True, slots=True)
class UsedPeriod:
    """What an account used in [start, end), with all that prices look at, and what it had when that began.

    `part` is what that time is of a whole period.
    """

    start: datetime
    end: datetime
    readings: Sequence[Reading]
    details: Details
    held: Held
    part: Fraction = WHOLE

    def project(self, at: datetime) -> "UsedPeriod":
        """The same at the period's end, by what was used until `at`."""
        readings, details = project_usage(self.readings, self.details, start=self.start, end=self.end, at=at)
        return replace(self, readings=readings, details=details)


@dataclass(frozen=True, slots=True)
class PlanBill:
    """What a plan asks, in its currency's smallest unit: the sum of its rounded lines, and what its own credit pays."""

    currency: str
    lines: tuple[LineFact, ...]
    charged_minor: int
    credit_minor: int

    @property
    def total_minor(self) -> int:
        return self.charged_minor - self.credit_minor


def read_open_usage(subscription: SubscriptionFact, terms: Sequence[PlanTerms]) -> UsedPeriod:
    """What any of these plans may look at in the period under way, read once. Raises HistoryPruned.

    On every plan it would be the part of a whole period that it is on its own.
    """
    account_id, start, end = subscription.account_id, subscription.period_start, subscription.period_end
    prices = [price for each in terms for price in each.prices]
    details = read_details(prices, [account_id], start=start, end=end)
    readings = usage.read_totals(account_id=account_id, start=start, end=end)
    period = Period.objects.select_related("subscription").get(pk=subscription.period_id)
    part = read_part(period, plans.read_version(subscription.version_id), zone=subscription.time_zone)
    return UsedPeriod(start, end, readings, details[account_id], subscription.held, part)


def bill_plan(terms: PlanTerms, used: UsedPeriod) -> PlanBill:
    """Raises AmountTooLarge, InvalidQuantity."""
    priced = rate_readings(terms, used.readings, used.details, held=used.held, part=used.part)
    lines = (*priced, *list_missing(terms, priced, part=used.part))
    charged = add_lines(lines, terms.currency).minor
    credit = min(prorate(terms.included_credit_minor, used.part), max(charged, 0))
    return PlanBill(terms.currency, lines, charged, credit)


def list_missing(terms: PlanTerms, priced: Sequence[LineFact], *, part: Fraction) -> Iterator[LineFact]:
    """The commitment's line, where the prices come to less."""
    billed = add_lines(priced, terms.currency).minor
    missing = true_up(terms.commitment_minor, billed, part=part).missing_minor
    if missing:
        yield make_commitment_line(missing, terms.currency)


def find_total(terms: PlanTerms, used: UsedPeriod | None) -> int | None:
    """The total; None where usage cannot be read any more, and where it is more than an invoice can hold."""
    try:
        return bill_plan(terms, used).total_minor if used else None
    except TOO_MUCH:
        return None
