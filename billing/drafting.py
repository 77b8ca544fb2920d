"""Drafts: what an invoice will say, written anew as often as it is asked, until it is issued."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from billing import profiles
from billing.composing import list_places, make_item_line, require_profile
from billing.documents import add_up, compose_lines
from billing.items import ItemFact, list_waiting, release_items, take_items
from billing.lines import LineFact, write_detail, write_taxes
from billing.models import Invoice, InvoiceKind, InvoiceLine, InvoiceState
from billing.period_facts import PeriodFacts
from billing.periods import Cycle, Interval, find_period
from billing.profiles import ProfileFact
from billing.rating import write_steps
from billing.rows import insert_rows, take_ids
from billing.sellers import name_seller
from billing.tax_rates import read_taxes


class NothingToBill(ValueError):
    """No item waits for an invoice."""


class UnknownDraft(LookupError):
    """There is no draft with this id."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An invoice that is not issued yet, and its lines."""

    invoice: Invoice
    lines: tuple[LineFact, ...]


def draft_composed(
    composed: Sequence[tuple[PeriodFacts, tuple[LineFact, ...]]], *, is_final: bool = False
) -> list[Draft]:
    """Write the invoices of periods, whose rows are locked, in place of drafts that there are.

    The items are taken only the last time, so that what is withdrawn during the grace is not on the invoice.
    """
    standing, seller = find_drafts([facts.period.pk for facts, _ in composed]), name_seller()
    drafts = [
        Draft(begin_invoice(facts, standing.get(facts.period.pk), seller=seller), lines) for facts, lines in composed
    ]
    write_drafts(drafts)
    if is_final:
        take_items(
            (item_id, draft.invoice.pk, position)
            for (facts, lines), draft in zip(composed, drafts, strict=True)
            for item_id, position in list_places(facts, lines)
        )
    return drafts


def find_drafts(period_ids: Collection[int]) -> dict[int, int]:
    """period id → that of its draft."""
    drafts = Invoice.objects.filter(period__in=period_ids, kind=InvoiceKind.PERIOD, state=InvoiceState.DRAFT)
    return dict(drafts.values_list("period_id", "pk"))


def begin_invoice(facts: PeriodFacts, draft_id: int | None, *, seller: dict[str, Any]) -> Invoice:
    period = facts.period
    return Invoice(
        pk=draft_id,
        kind=InvoiceKind.PERIOD,
        account_id=period.subscription.account_id,
        subscription_id=period.subscription_id,
        period_id=period.pk,
        currency=facts.terms.currency,
        plan_name=facts.terms.name,
        period_start=period.starts_at,
        period_end=period.ends_at,
        **write_address(require_profile(facts), seller),
    )


@transaction.atomic
def draft_items(*, account_id: int, currency: str, at: datetime, subscription_id: int | None = None) -> Invoice:
    """A one-off invoice over what waits: of a subscription, or of none. The items are on it from now on.

    It is for the time of its items; where they have none, for the day it is made. Raises NothingToBill.
    """
    waiting = list_waiting(account_id=account_id, currency=currency, subscription_id=subscription_id, is_locked=True)
    if not waiting:
        words = {"currency": currency, "account": account_id}
        raise NothingToBill(gettext("Nothing in %(currency)s waits to be billed to account %(account)s.") % words)
    return draft_one_off(waiting, account_id=account_id, currency=currency, subscription_id=subscription_id, at=at)


def draft_one_off(
    waiting: Sequence[ItemFact],
    *,
    account_id: int,
    currency: str,
    at: datetime,
    subscription_id: int | None = None,
    is_taxed: bool = True,
) -> Invoice:
    """A draft over these items, which the caller has made or locked."""
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
        **write_address(profile, name_seller()),
    )
    taxes = read_taxes([account_id])[account_id] if is_taxed else ()
    lines = compose_lines(map(make_item_line, waiting), taxes=taxes)
    write_drafts([Draft(invoice, lines)])
    take_items((item.id, invoice.pk, line.position) for item, line in zip(waiting, lines, strict=True))
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


def write_address(profile: ProfileFact, seller: dict[str, Any]) -> dict[str, Any]:
    """To whom, from whom and in which language: frozen with the rest, so that its paper says the same for ever."""
    return {
        "customer_name": profile.legal_name,
        "customer_address": profile.address,
        "customer_country": profile.country,
        "customer_tax_number": profile.tax_number,
        "time_zone": profile.time_zone,
        "language": profile.language,
        "seller": seller,
    }


def write_drafts(drafts: Sequence[Draft]) -> None:
    """Store drafts with their lines. One with the id of another, of which no item is billed, takes its place."""
    remove_drafts([draft.invoice.pk for draft in drafts if draft.invoice.pk is not None])
    new = [draft.invoice for draft in drafts if draft.invoice.pk is None]
    for invoice, invoice_id in zip(new, take_ids(Invoice, len(new)), strict=True):
        invoice.pk = invoice_id
    for draft in drafts:
        state_sums(draft.invoice, draft.lines)
    insert_rows(Invoice, [vars(draft.invoice) for draft in drafts])
    insert_rows(InvoiceLine, [row for draft in drafts for row in list_rows(draft)])
    for draft in drafts:
        draft.invoice._state.adding = False


def remove_drafts(invoice_ids: Collection[int]) -> None:
    if invoice_ids:
        InvoiceLine.objects.filter(invoice__in=invoice_ids)._raw_delete("default")
        Invoice.objects.filter(pk__in=invoice_ids)._raw_delete("default")


def state_sums(invoice: Invoice, lines: Iterable[LineFact]) -> None:
    sums = add_up(lines)
    invoice.discount_minor, invoice.subtotal_minor = sums.discount_minor, sums.subtotal_minor
    invoice.tax_minor, invoice.total_minor = sums.tax_minor, sums.total_minor
    invoice.credited_minor, invoice.due_minor = 0, sums.total_minor


def list_rows(draft: Draft) -> Iterator[dict[str, Any]]:
    """What InvoiceLine stores of the lines."""
    for line in draft.lines:
        yield {
            "invoice_id": draft.invoice.pk,
            "position": line.position,
            "kind": line.kind,
            "description": line.description,
            "meter_id": line.meter_id,
            "quantity": line.quantity,
            "unit": line.unit,
            "event_count": line.event_count,
            "event_digest": line.event_digest,
            "detail": write_detail(line),
            "steps": write_steps(line.steps),
            "amount_exact": line.amount_exact,
            "amount_minor": line.amount_minor,
            "discount_minor": line.discount_minor,
            "taxes": write_taxes(line.taxes),
            "subtotal_minor": line.subtotal_minor,
            "tax_minor": line.tax_minor,
            "total_minor": line.total_minor,
            "period_start": line.period[0] if line.period else None,
            "period_end": line.period[1] if line.period else None,
        }


def find_last_moment(invoice: Invoice, *, at: datetime) -> datetime:
    """When credit has to be in effect to pay it: at the period's last moment, or now where it is for no period."""
    return invoice.period_end - timedelta(microseconds=1) if invoice.kind == InvoiceKind.PERIOD else at
