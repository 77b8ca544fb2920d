"""Asking an issued invoice through Stripe: one after the other its draft, our lines, the comparison, and the end of it.

Each step is stored once it is done at Stripe. A worker that dies between two is followed by another, which looks what
is there: nothing is added twice, and nothing is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.models import (
    Invoice,
    InvoiceState,
    StripeInvoice,
    StripeInvoiceRole,
    StripeInvoiceStep,
    StripeMode,
)
from billing.stripe.charging import asking, outcomes, payments
from billing.stripe.charging.amounts import read_minor, write_money
from billing.stripe.charging.comparing import Difference, compare_metered, place_taxes
from billing.stripe.charging.composing import Composed, OurLine, compose_lines, compose_rest, pick_missing
from billing.stripe.charging.drafts import PATIENCE, PAUSE, find_draft, forget_draft, make_own
from billing.stripe.charging.facts import list_price_positions, read_asked, word_lines
from billing.stripe.charging.rows import ENDED, reach, stop, write_told
from billing.stripe.charging.told import Told
from billing.stripe.customers import CustomerFact, read_customer
from billing.stripe.drifts import close_drift, open_drift
from billing.stripe.errors import Refused
from billing.stripe.usage.flushing import flush_period
from jobs.queue import Postponed

ASKED = [InvoiceState.ISSUED, InvoiceState.PAID]  # paid: nothing is due, and Stripe's comes to nothing


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to come of it: all that is on Stripe's invoice, and which items its meters charge by position."""

    invoice: Invoice
    customer: CustomerFact
    composed: Composed
    items: dict[int, str]


def charge_invoice(invoice_id: int, *, at: datetime) -> StripeInvoice | None:
    """As far as it goes now; a second call goes on. Raises jobs.queue.Postponed where Stripe or a person is not ready.

    None where there is nothing to ask, or nothing any more.
    """
    invoice = Invoice.objects.select_related("period").get(pk=invoice_id)
    customer = read_customer(invoice.account_id)
    if customer is None or invoice.state not in ASKED:
        return None
    if not customer.is_ready:
        raise Postponed(at + PAUSE, customer.problem_detail or "the customer is not in Stripe yet")
    row = find_draft(invoice, customer, at=at)
    if row is None or row.step in ENDED:
        return row
    plan = make_plan(invoice, row, customer, at=at)
    told = read_row(row, plan, at=at)
    if told.is_draft:
        told = fill(row, plan, told, at=at)
    if told.is_draft or asking.is_undecided(asking.FINALISE, row.stripe_id):
        told = finalise(row, plan, told, at=at)
    if told.is_draft:
        return row
    settle_finalised(row, plan, told, at=at)
    payments.apply_told(row, told, at=at)
    return row


def make_plan(invoice: Invoice, row: StripeInvoice, customer: CustomerFact, *, at: datetime) -> Plan:
    """Raises Postponed while usage is on its way."""
    items = find_metered(invoice, row, at=at) if row.role == StripeInvoiceRole.CYCLE else {}
    return Plan(invoice, customer, compose_lines(read_asked(invoice), items, word_lines(invoice.language)), items)


def find_metered(invoice: Invoice, row: StripeInvoice, *, at: datetime) -> dict[int, str]:
    """position of a line → the item of the subscription whose meter charges it, once all its usage is out."""
    if invoice.period is None or row.mirror is None:
        return {}
    if not flush_period(invoice.period.pk, at).is_complete:
        raise Postponed(at + PAUSE, "usage is on its way to Stripe")
    modes = StripeMode.objects.filter(period=invoice.period, mode="meters")
    prices = set(modes.values_list("price_id", flat=True))
    return {
        position: row.mirror.items[str(price)]
        for position, price in list_price_positions(invoice).items()
        if price in prices
    }


def read_row(row: StripeInvoice, plan: Plan, *, at: datetime) -> Told:
    """Raises Postponed where the draft is gone: there is another one to be made, or a person decides."""
    try:
        told = asking.read_invoice(row.stripe_id, at=at)
    except Refused as refusal:
        if not asking.is_missing(refusal):
            raise
        forget_draft(row, plan.customer.stripe_id, at=at)
        raise Postponed(at, "the draft is gone from Stripe: another one is made") from refusal
    write_told(row.pk, told, at=at)
    row.refresh_from_db()
    return told


def fill(row: StripeInvoice, plan: Plan, told: Told, *, at: datetime) -> Told:
    """Put on what is missing and say the taxes. Raises Postponed while Stripe does not show all usage."""
    wait_for_usage(row, plan, compare_metered(plan.composed.metered, plan.items, told.lines), at=at)
    if row.step == StripeInvoiceStep.STOPPED:
        return told
    drawn, lines = told.lines, plan.composed.lines
    missing = pick_missing(lines, told.our_keys)
    if not missing and asking.is_undecided(asking.ADD, asking.name_addition(row.stripe_id, lines)):
        missing = lines  # they are there: the answer was lost, and the same key brings it
    try:
        if missing:
            told = asking.add_lines(row.stripe_id, plan.invoice.pk, missing, at=at)
        if taxes := place_taxes(plan.composed.metered, plan.items, drawn):
            told = asking.tax_lines(row.stripe_id, taxes, at=at)
    except Refused as refusal:
        return look_why(row, plan, refusal, at=at)
    reach(row, StripeInvoiceStep.FILLED)
    return told


def wait_for_usage(row: StripeInvoice, plan: Plan, differences: Sequence[Difference], *, at: datetime) -> None:
    """Usage that was accepted shows a little later. After a while somebody has to look: a drift, and it stops."""
    if not differences:
        return
    if row.waiting_since is None:
        row.waiting_since = at
        row.save(update_fields=["waiting_since"])
    if at < row.waiting_since + PATIENCE:
        raise Postponed(at + PAUSE, f"Stripe shows other usage than was sent on {len(differences)} lines")
    tell_differences(row, plan, differences, cause="Stripe's meter counts other usage than was sent", at=at)
    stop(row, code="metered_line", message="Stripe's meters charge other amounts than Palier does.")


def tell_differences(
    row: StripeInvoice, plan: Plan, differences: Sequence[Difference], *, cause: str, at: datetime
) -> None:
    for each in differences:
        ours, theirs = read_minor(each.ours, row.currency), read_minor(each.theirs, row.currency)
        open_drift(
            "metered_line",
            f"{plan.invoice.number} {each.position}",
            account_id=row.account_id,
            ours=write_money(ours, row.currency),
            theirs=write_money(theirs, row.currency),
            difference_minor=ours - theirs,
            currency=row.currency,
            cause=cause,
            at=at,
        )


def look_why(row: StripeInvoice, plan: Plan, refusal: Refused, *, at: datetime) -> Told:
    """Either it was finalised meanwhile, which is as it is, or it stops with what Stripe says."""
    told = read_row(row, plan, at=at)
    if told.is_draft:
        stop(row, code=refusal.code, message=refusal.message)
    return told


def finalise(row: StripeInvoice, plan: Plan, told: Told, *, at: datetime) -> Told:
    """Where Stripe asks exactly what is due. It stays a draft, and stops, where it does not or will not."""
    if row.step == StripeInvoiceStep.STOPPED:
        return told
    if told.is_draft and not compare_total(row, plan.invoice, told, total=plan.composed.total, at=at):
        return told
    if told.is_draft:
        reach(row, StripeInvoiceStep.COMPARED)
    try:
        told = asking.finalise(row.stripe_id, at=at)
    except Refused as refusal:
        return look_why(row, plan, refusal, at=at)
    write_told(row.pk, told, at=at)
    row.refresh_from_db()
    return told


def compare_total(row: StripeInvoice, invoice: Invoice, told: Told, *, total: int, at: datetime) -> bool:
    """Whether it asks `total`, in Stripe's units. Where not it stops, and both figures are shown."""
    if told.total == total:
        close_drift("invoice_total", row.stripe_id, at=at)
        return True
    ours, theirs = read_minor(total, row.currency), read_minor(told.total, row.currency)
    open_drift(
        "invoice_total",
        row.stripe_id,
        account_id=row.account_id,
        ours=write_money(ours, row.currency),
        theirs=write_money(theirs, row.currency),
        difference_minor=ours - theirs,
        currency=row.currency,
        cause=f"of invoice {invoice.number}",
        at=at,
    )
    stop(row, code="invoice_total", message="Stripe's invoice asks another amount than Palier's.")
    return False


def settle_finalised(row: StripeInvoice, plan: Plan, told: Told, *, at: datetime) -> None:
    """What a finalised invoice asks too little is asked by another, what it asks too much is given back by a note.

    Either happens where Stripe finalised it before our lines were on it, or its meters counted on after we compared.
    """
    rest = plan.composed.total - told.total
    differences = compare_metered(plan.composed.metered, plan.items, told.lines) if rest else []
    if differences:
        tell_differences(row, plan, differences, cause="Stripe finalised the invoice with other usage", at=at)
    if rest > 0:
        ask_rest(row, plan, told, rest, at=at)
    elif rest < 0:
        outcomes.correct(row, told, -rest, at=at)
    outcomes.write_off_unasked(plan.invoice, plan.composed.unasked_minor, at=at)
    reach(row, StripeInvoiceStep.FINALISED)


def ask_rest(row: StripeInvoice, plan: Plan, told: Told, total: int, *, at: datetime) -> None:
    """By an invoice of our own. Raises Postponed where that stopped: the first one is not done before it is."""
    asked = read_asked(plan.invoice)
    lines = compose_rest(asked, plan.composed, told.our_keys, word_lines(plan.invoice.language), total=total)
    other = make_own(plan.invoice, plan.customer, role=StripeInvoiceRole.REST, at=at)
    if other.step in ENDED:
        return
    now = read_row(other, plan, at=at)
    if now.is_draft and other.step == StripeInvoiceStep.HELD:
        now = add_rest(other, plan, now, lines, at=at)
    if now.is_draft and other.step != StripeInvoiceStep.STOPPED:
        now = finalise(other, Plan(plan.invoice, plan.customer, Composed(lines, (), total, 0), {}), now, at=at)
    if not now.is_draft:
        reach(other, StripeInvoiceStep.FINALISED)


def add_rest(other: StripeInvoice, plan: Plan, told: Told, lines: Sequence[OurLine], *, at: datetime) -> Told:
    missing = pick_missing(lines, told.our_keys)
    if missing or asking.is_undecided(asking.ADD, asking.name_addition(other.stripe_id, lines)):
        told = asking.add_lines(other.stripe_id, plan.invoice.pk, missing or lines, at=at)
    reach(other, StripeInvoiceStep.FILLED)
    return told
