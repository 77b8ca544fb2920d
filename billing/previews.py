"""The next invoice: as it stands and as it will be, composed by the invoice's own functions from the same facts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from billing.composing import compose_facts
from billing.credits.spending import Bill, foresee_burns
from billing.details import project_usage
from billing.documents import DocumentSums, add_up
from billing.issuing import list_bill_lines
from billing.lines import TOO_MUCH, LineFact
from billing.models import Period
from billing.period_facts import PeriodFacts, read_facts
from billing.proration import MICROSECOND
from billing.subscriptions import read_subscription


class NotSubscribed(LookupError):
    """The account has no subscription at that time, hence nothing to pay."""


@dataclass(frozen=True, slots=True)
class InvoicePreview:
    """The invoice of [start, end) as it would be if it were issued now: with what waits for it, discounts and taxes.

    Amounts are in the currency's smallest unit. `credited_minor` is what the credit at hand would pay of it.
    """

    currency: str
    lines: tuple[LineFact, ...]
    sums: DocumentSums
    credited_minor: int
    start: datetime
    end: datetime

    @property
    def total_minor(self) -> int:
        return self.sums.total_minor

    @property
    def due_minor(self) -> int:
        """What remains to be paid. Below zero nothing is: it becomes credit."""
        return max(0, self.total_minor - self.credited_minor)


@dataclass(frozen=True, slots=True)
class NextInvoice:
    """The bill of the period under way: what it would be now, and what it will be at the pace so far.

    `at_close` is None where that is more than an invoice can hold.
    """

    so_far: InvoicePreview
    at_close: InvoicePreview | None


def preview_period(*, account_id: int, at: datetime) -> InvoicePreview:
    """The invoice of the period that holds `at`, as it stands; flat fees count in full from its first day.

    Raises NotSubscribed, and AmountTooLarge or InvalidQuantity where it is more than an invoice can hold.
    """
    facts = read_open_period(account_id, at=at)
    [preview] = preview_facts([(facts, compose_open(facts))])
    return preview


def preview_close(*, account_id: int, at: datetime) -> NextInvoice:
    """The same, and what it will be at the period's end by the run rate. Raises as preview_period does."""
    facts = read_open_period(account_id, at=at)
    composed = [(facts, compose_open(facts))]
    try:
        composed.append((facts, compose_open(project_facts(facts, at=at))))
    except TOO_MUCH:
        return NextInvoice(preview_facts(composed)[0], at_close=None)
    so_far, at_close = preview_facts(composed)
    return NextInvoice(so_far, at_close)


def read_open_period(account_id: int, *, at: datetime) -> PeriodFacts:
    """Raises NotSubscribed."""
    subscription = read_subscription(account_id=account_id, at=at)
    if subscription is None:
        raise NotSubscribed(f"Account {account_id} has no subscription at {at}.")
    [facts] = read_facts([Period.objects.select_related("subscription").get(pk=subscription.period_id)])
    return facts


def compose_open(facts: PeriodFacts) -> tuple[LineFact, ...]:
    """A free period has no invoice; what waits is for the one after it."""
    return () if facts.period.is_free else compose_facts(facts)


def project_facts(facts: PeriodFacts, *, at: datetime) -> PeriodFacts:
    start, end = facts.period.starts_at, facts.period.ends_at
    readings, details = project_usage(facts.readings, facts.details, start=start, end=end, at=at)
    return replace(facts, readings=readings, details=details)


def preview_facts(composed: Sequence[tuple[PeriodFacts, tuple[LineFact, ...]]]) -> list[InvoicePreview]:
    """Each as if the others were not: they are the same credit's."""
    sums = [add_up(lines) for _, lines in composed]
    bills = [make_bill(facts, lines, each) for (facts, lines), each in zip(composed, sums, strict=True)]
    return [
        InvoicePreview(
            facts.terms.currency, lines, each, credited, start=facts.period.starts_at, end=facts.period.ends_at
        )
        for (facts, lines), each, credited in zip(composed, sums, foresee_burns(bills), strict=True)
    ]


def make_bill(facts: PeriodFacts, lines: Sequence[LineFact], sums: DocumentSums) -> Bill:
    return Bill(
        key="",
        account_id=facts.period.subscription.account_id,
        currency=facts.terms.currency,
        lines=list_bill_lines(lines, sums.total_minor),
        moment=facts.period.ends_at - MICROSECOND,
    )
