"""Making Stripe's draft ask what is due, by one line over the difference: where somebody decides that it shall."""

from datetime import datetime

from django.utils import translation
from django.utils.translation import gettext

from billing.models import Invoice, StripeInvoice, StripeInvoiceStep
from billing.stripe.charging import asking, payments
from billing.stripe.charging.charge import Plan, finalise, make_plan, read_row, settle_finalised
from billing.stripe.charging.comparing import place_taxes
from billing.stripe.charging.composing import OurLine, name_line, pick_missing
from billing.stripe.charging.rows import reach
from billing.stripe.charging.told import Told
from billing.stripe.customers import read_customer

ADJUSTMENT = "adjustment"


def adjust_draft(row_id: int, *, at: datetime) -> None:
    """Put all of our lines on a draft that stopped, and one more over what is left; then have it finalised.

    Whatever Stripe's meters charge stays. A second call adds nothing. Raises Postponed while usage is on its way, and
    Refused with what Stripe says.
    """
    row = StripeInvoice.objects.select_related("invoice__period").get(pk=row_id)
    customer = read_customer(row.account_id)
    if row.step != StripeInvoiceStep.STOPPED or row.invoice is None or customer is None:
        return
    plan = make_plan(row.invoice, row, customer, at=at)
    told = read_row(row, plan, at=at)
    if told.is_draft:
        told = put_on(row, plan, told, at=at)
        reach(row, StripeInvoiceStep.FILLED)
        told = finalise(row, plan, told, at=at)
    if not told.is_draft:
        settle_finalised(row, plan, told, at=at)
        payments.apply_told(row, told, at=at)


def put_on(row: StripeInvoice, plan: Plan, told: Told, *, at: datetime) -> Told:
    drawn = told.lines
    if missing := pick_missing(plan.composed.lines, told.our_keys):
        told = asking.add_lines(row.stripe_id, plan.invoice.pk, missing, at=at)
    if taxes := place_taxes(plan.composed.metered, plan.items, drawn):
        told = asking.tax_lines(row.stripe_id, taxes, at=at)
    if rest := plan.composed.total - told.total:
        line = make_adjustment(plan.invoice, rest, count=count_adjustments(told))
        told = asking.add_lines(row.stripe_id, plan.invoice.pk, [line], at=at)
    return told


def make_adjustment(invoice: Invoice, amount: int, *, count: int) -> OurLine:
    """Each has a key of its own: the meters may go on counting between two."""
    key = name_line(invoice.pk, f"{ADJUSTMENT} {count + 1}")
    with translation.override(invoice.language):
        words = gettext("Adjustment")
    return OurLine(key, words, amount, (), invoice.period_start, invoice.period_end)


def count_adjustments(told: Told) -> int:
    return sum(ADJUSTMENT in key for key in told.our_keys)
