"""Drafts: what an invoice will say, written anew as often as it is asked, until it is issued."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from django.db import transaction
from django.utils.translation import gettext

from billing import coupons, plans, profiles
from billing.commitments import true_up
from billing.documents import add_up, compose_lines
from billing.items import ONE, ItemFact, list_waiting, release_items, take_items
from billing.lines import LineFact, rate_period, write_detail, write_taxes
from billing.models import Invoice, InvoiceKind, InvoiceLine, InvoiceState, ItemKind, Period
from billing.money import Money
from billing.periods import Cycle, Interval, count_days, find_period
from billing.plans import PlanTerms
from billing.profiles import ProfileFact
from billing.proration import MICROSECOND, Proration, part_of_days
from billing.rating import Step, StepKind, write_steps
from billing.sellers import name_seller
from billing.subscriptions import list_meters
from billing.tax_rates import read_taxes
from metering import limits


class NothingToBill(ValueError):
    """No item waits for an invoice."""


class UnknownDraft(LookupError):
    """There is no draft with this id."""


def draft_period(period: Period, *, at: datetime, is_final: bool = False) -> Invoice:
    """Price what was used in the period, and what else waits for its subscription's invoice. Its row is locked.

    The last time metering's window is closed first: what is counted after that is late. The items are taken only then,
    so that what is withdrawn during the grace is not on the invoice.
    """
    if is_final:
        close_windows(period, at=at)
    terms, lines, waiting = compose_period(period, is_locked=is_final)
    subscription = period.subscription
    draft = Invoice.objects.filter(period=period, kind=InvoiceKind.PERIOD, state=InvoiceState.DRAFT).first()
    invoice = draft or Invoice(kind=InvoiceKind.PERIOD, subscription=subscription, period=period)
    invoice.account_id = subscription.account_id
    invoice.currency, invoice.plan_name = terms.currency, terms.name
    invoice.period_start, invoice.period_end = period.starts_at, period.ends_at
    write_draft(invoice, lines)
    if is_final and waiting:
        take_items([item.id for item in waiting], invoice)
    return invoice


def compose_period(
    period: Period, *, is_locked: bool = False
) -> tuple[PlanTerms, tuple[LineFact, ...], list[ItemFact]]:
    """The terms that bill the period, the lines of its invoice as things are, and the items among them."""
    subscription = period.subscription
    account_id, start, end = subscription.account_id, period.starts_at, period.ends_at
    terms = plans.read_version(period.version_id)
    waiting = list_waiting(
        account_id=account_id,
        currency=terms.currency,
        subscription_id=subscription.pk,
        before=end,
        is_locked=is_locked,
    )
    priced = rate_period(terms, account_id=account_id, start=start, end=end, held=period.held, with_digests=True)
    given_off = coupons.read_discounts(account_id=account_id, subscription_id=subscription.pk, at=start)
    lines = compose_lines(
        [*priced, *map(make_item_line, waiting), *raise_to_commitment(period, terms, priced)],
        taxes=read_taxes([account_id])[account_id],
        discounts=[each.terms for each in given_off],
    )
    return terms, lines, waiting


def raise_to_commitment(period: Period, terms: PlanTerms, priced: Sequence[LineFact]) -> Iterator[LineFact]:
    """A line over what the period's prices are short of what was promised of it, before discounts and taxes."""
    if not terms.commitment_minor:
        return
    billed = sum(line.amount_minor for line in priced)
    missing = Money(
        true_up(terms.commitment_minor, billed, part=find_part(period, terms)).missing_minor, terms.currency
    )
    if missing.minor:
        step = Step(StepKind.MINIMUM, ONE, missing.amount, missing.amount)
        yield LineFact(
            position=0,
            description=gettext("Commitment"),
            meter_id=None,
            meter_key=None,
            meter_name="",
            unit="",
            quantity=ONE,
            event_count=None,
            steps=(step,),
            amount_exact=missing.amount,
            amount_minor=missing.minor,
            kind=ItemKind.TRUE_UP.value,
        )


def find_part(period: Period, terms: PlanTerms) -> Fraction:
    """Which part it is of the whole period that its version would have: less where it was begun or cut within one."""
    zone = profiles.read_profile(period.subscription.account_id).time_zone
    whole_start, whole_end = find_period(period.starts_at, terms.periods.cycle(period.subscription.anchor), zone)
    if terms.periods.proration is Proration.DAY:
        return part_of_days(
            count_days(period.starts_at, period.ends_at, zone), count_days(whole_start, whole_end, zone)
        )
    return Fraction((period.ends_at - period.starts_at) // MICROSECOND, (whole_end - whole_start) // MICROSECOND)


def close_windows(period: Period, *, at: datetime) -> None:
    """Those of the period's own meters: another subscription of the account may have others of the same time."""
    limits.close_window(
        account_id=period.subscription.account_id,
        start=period.starts_at,
        end=period.ends_at,
        at=at,
        meter_ids=list_meters([period.version_id]),
    )


@transaction.atomic
def draft_items(*, account_id: int, currency: str, at: datetime, subscription_id: int | None = None) -> Invoice:
    """A one-off invoice over what waits: of a subscription, or of none. The items are on it from now on.

    It is for the time of its items; where they have none, for the day it is made. Raises NothingToBill.
    """
    waiting = list_waiting(account_id=account_id, currency=currency, subscription_id=subscription_id, is_locked=True)
    if not waiting:
        raise NothingToBill(f"Nothing in {currency} waits to be billed to account {account_id}.")
    profile = profiles.read_or_set_profile(account_id)
    day = find_period(at, Cycle(Interval.DAY), profile.time_zone)
    starts = [item.period_start or day[0] for item in waiting]
    ends = [item.period_end or day[1] for item in waiting]
    invoice = Invoice(
        kind=InvoiceKind.ONE_OFF,
        account_id=account_id,
        subscription_id=subscription_id,
        currency=currency,
        period_start=min(starts),
        period_end=max(ends),
    )
    write_draft(invoice, compose_lines(map(make_item_line, waiting), taxes=read_taxes([account_id])[account_id]))
    take_items([item.id for item in waiting], invoice)
    return invoice


@transaction.atomic
def drop_draft(invoice_id: int) -> None:
    """Take back a draft that was not issued; what is on it waits again. Raises UnknownDraft."""
    draft = Invoice.objects.select_for_update(of=("self",)).filter(pk=invoice_id, state=InvoiceState.DRAFT).first()
    if draft is None:
        raise UnknownDraft(f"There is no draft {invoice_id}.")
    release_items(draft)
    draft.lines.all().delete()
    draft.delete()


def write_draft(invoice: Invoice, lines: Sequence[LineFact]) -> None:
    """Store the draft with these lines in place of those it had, addressed to whom the profile names today."""
    profile, sums = profiles.read_profile(invoice.account_id), add_up(lines)
    address_invoice(invoice, profile)
    invoice.discount_minor, invoice.subtotal_minor = sums.discount_minor, sums.subtotal_minor
    invoice.tax_minor, invoice.total_minor = sums.tax_minor, sums.total_minor
    invoice.credited_minor, invoice.due_minor = 0, sums.total_minor
    if invoice.pk is not None:
        invoice.lines.all().delete()
    invoice.save()
    InvoiceLine.objects.bulk_create(make_lines(invoice, lines))


def address_invoice(invoice: Invoice, profile: ProfileFact) -> None:
    """To whom, from whom and in which language: frozen with the rest, so that its paper says the same for ever."""
    invoice.customer_name, invoice.customer_address = profile.legal_name, profile.address
    invoice.customer_country, invoice.customer_tax_number = profile.country, profile.tax_number
    invoice.time_zone, invoice.language, invoice.seller = profile.time_zone, profile.language, name_seller()


def make_lines(invoice: Invoice, lines: Iterable[LineFact]) -> Iterator[InvoiceLine]:
    for line in lines:
        yield InvoiceLine(
            invoice=invoice,
            position=line.position,
            kind=line.kind,
            description=line.description,
            meter_id=line.meter_id,
            quantity=line.quantity,
            unit=line.unit,
            event_count=line.event_count,
            event_digest=line.event_digest,
            detail=write_detail(line),
            steps=write_steps(line.steps),
            amount_exact=line.amount_exact,
            amount_minor=line.amount_minor,
            discount_minor=line.discount_minor,
            taxes=write_taxes(line.taxes),
            subtotal_minor=line.subtotal_minor,
            tax_minor=line.tax_minor,
            total_minor=line.total_minor,
            period_start=line.period[0] if line.period else None,
            period_end=line.period[1] if line.period else None,
        )


def make_item_line(item: ItemFact) -> LineFact:
    """The line that bills an item; compose_lines gives it its place."""
    step = Step(StepKind.UNITS, item.quantity, item.unit_amount, item.amount_exact)
    return LineFact(
        position=0,
        description=item.description,
        meter_id=None,
        meter_key=None,
        meter_name="",
        unit="",
        quantity=item.quantity,
        event_count=None,
        steps=(step,),
        amount_exact=item.amount_exact,
        amount_minor=item.amount_minor,
        kind=item.kind,
        period=(item.period_start, item.period_end) if item.period_start and item.period_end else None,
    )


def find_last_moment(invoice: Invoice, *, at: datetime) -> datetime:
    """When credit has to be in effect to pay it: at the period's last moment, or now where it is for no period."""
    return invoice.period_end - timedelta(microseconds=1) if invoice.kind == InvoiceKind.PERIOD else at
