"""What the open period costs: as it stands and as it will end, rated by the invoice's own function."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

from billing import plans
from billing.details import Details, read_details
from billing.holdings import ONE_SEAT, Held
from billing.lines import LineFact, add_lines, rate_readings
from billing.models import Period
from billing.plans import PlanTerms
from billing.projections import find_growth, project_count, project_quantity
from billing.proration import WHOLE
from billing.rating import AmountTooLarge, InvalidQuantity
from billing.shares import depends_on_part, read_share
from billing.subscriptions import read_subscription
from metering import usage
from metering.usage import Reading

PreviewLine = LineFact

TOO_MUCH = (AmountTooLarge, InvalidQuantity)  # more than an invoice can hold: a person has to look at it


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


@dataclass(frozen=True, slots=True)
class NextInvoice:
    """The bill of the period under way: what it would be now, and what it will be at the pace so far.

    `at_close` is None where that is more than an invoice can hold.
    """

    so_far: InvoicePreview
    at_close: InvoicePreview | None


@dataclass(frozen=True, slots=True)
class UsedPeriod:
    """What an account used in [start, end), with all that prices look at, and what it had when that began.

    `part` is what that time is of a whole period, where it matters.
    """

    start: datetime
    end: datetime
    readings: Sequence[Reading]
    details: Details
    held: Held
    part: Fraction = WHOLE

    def project(self, at: datetime) -> "UsedPeriod":
        """The same at the period's end, by what was used until `at`. Levels stay as they are.

        The one place that says how: a better forecast goes here.
        """
        growth = find_growth(self.start, self.end, at=at)
        levels = {reading.meter_key for reading in self.readings if reading.is_level}
        readings = [
            reading
            if reading.is_level
            else replace(
                reading,
                quantity=project_quantity(reading.quantity, growth),
                event_count=project_count(reading.event_count, growth),
            )
            for reading in self.readings
        ]
        return replace(self, readings=readings, details=self.details.project(growth, levels=levels))


def preview_period(*, account_id: int, at: datetime) -> InvoicePreview:
    """The live cost of the period that holds `at`; flat fees count in full from its first day.

    Raises NotSubscribed, and AmountTooLarge or InvalidQuantity where it is more than an invoice can hold.
    """
    terms, used = read_open_period(account_id, at=at)
    return preview_usage(terms, used)


def preview_close(*, account_id: int, at: datetime) -> NextInvoice:
    """The live cost, and what the period will have cost at its end by the run rate. Raises as preview_period does."""
    terms, used = read_open_period(account_id, at=at)
    return NextInvoice(preview_usage(terms, used), preview_projected(terms, used, at=at))


def preview_projected(terms: PlanTerms, used: UsedPeriod, *, at: datetime) -> InvoicePreview | None:
    try:
        return preview_usage(terms, used.project(at))
    except TOO_MUCH:
        return None


def read_open_period(account_id: int, *, at: datetime) -> tuple[PlanTerms, UsedPeriod]:
    """The account's own terms, without prices in a free period, and what it used. Raises NotSubscribed."""
    subscription = read_subscription(account_id=account_id, at=at)
    if subscription is None:
        raise NotSubscribed(f"Account {account_id} has no subscription at {at}.")
    terms = plans.read_version(subscription.version_id)
    if subscription.is_free:
        terms = replace(terms, prices=())
    start, end = subscription.period_start, subscription.period_end
    used = read_used([terms], account_id=account_id, start=start, end=end, held=subscription.held)
    if not depends_on_part(terms):
        return terms, used
    period = Period.objects.select_related("subscription").get(pk=subscription.period_id)
    return terms, replace(used, part=read_share(period, terms, zone=subscription.time_zone))


def read_used(terms: Sequence[PlanTerms], *, account_id: int, start: datetime, end: datetime, held: Held) -> UsedPeriod:
    """What any of these plans may look at, read once."""
    prices = [price for each in terms for price in each.prices]
    details = read_details(prices, [account_id], start=start, end=end)
    readings = usage.read_totals(account_id=account_id, start=start, end=end)
    return UsedPeriod(start, end, readings, details[account_id], held)


def preview_plan(
    terms: PlanTerms, *, account_id: int, start: datetime, end: datetime, held: Held = ONE_SEAT
) -> InvoicePreview:
    """What [start, end) costs on a plan, whosesoever it is. Raises AmountTooLarge, InvalidQuantity."""
    return preview_usage(terms, read_used([terms], account_id=account_id, start=start, end=end, held=held))


def preview_usage(terms: PlanTerms, used: UsedPeriod) -> InvoicePreview:
    """What it costs on a plan, be it the account's own. Raises AmountTooLarge, InvalidQuantity."""
    lines = rate_readings(terms, used.readings, used.details, held=used.held, part=used.part)
    total = add_lines(lines, terms.currency)
    return InvoicePreview(terms.currency, total.minor, lines, used.start, used.end)
