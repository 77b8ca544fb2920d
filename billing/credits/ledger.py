"""The ledger of credit: what moved and why, and how much of it there is. Entries are written here and never change."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from django.db.models import Sum

from billing import plans, profiles
from billing.lines import rate_period
from billing.models import (
    CreditEntry,
    CreditGrant,
    CreditKind,
    Invoice,
    InvoiceItem,
    InvoiceState,
    ItemKind,
    Period,
)
from billing.plans import PlanTerms
from billing.proration import WHOLE
from billing.rows import insert_rows
from billing.shares import depends_on_part, read_share

EntryRow = Mapping[str, Any]  # a movement by the names of CreditEntry


@dataclass(frozen=True, slots=True)
class EntryFact:
    """One movement of a grant, in the currency's smallest unit. `invoice` is the number of the one it paid, if any."""

    grant_id: int
    kind: str
    amount_minor: int
    key: str
    line: int
    invoice: str | None
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Wallet:
    """An account's credit of one currency, in its smallest unit.

    `settled_minor` is what the ledger holds of the grants that have begun. `drafts_minor` is what invoices ask that are
    not issued yet, and `unbilled_minor` what usage costs that is on none.
    """

    account_id: int
    currency: str
    settled_minor: int
    drafts_minor: int
    unbilled_minor: int

    @property
    def ongoing_minor(self) -> int:
        """What will be left once all that was used is billed; below zero, what credit will not cover."""
        return self.settled_minor - self.drafts_minor - self.unbilled_minor


def write_entries(entries: Iterable[EntryRow]) -> None:
    """Post movements; the database adds each to its grant, and refuses what would take that below nothing."""
    insert_rows(CreditEntry, entries)


def list_entries(*, account_id: int, currency: str, limit: int = 100) -> list[EntryFact]:
    """The newest movements, the last first."""
    found = CreditEntry.objects.filter(grant__account_id=account_id, grant__currency=currency)
    return [
        EntryFact(
            grant_id=entry.grant_id,
            kind=str(entry.kind),
            amount_minor=entry.amount_minor,
            key=entry.key,
            line=entry.line,
            invoice=entry.invoice.number if entry.invoice else None,
            made_at=entry.made_at,
        )
        for entry in found.select_related("invoice").order_by("-pk")[:limit]
    ]


def list_currencies(account_id: int) -> list[str]:
    """Those in which the account was ever granted credit."""
    return sorted(set(CreditGrant.objects.filter(account_id=account_id).values_list("currency", flat=True)))


def read_wallet(*, account_id: int, currency: str, at: datetime) -> Wallet:
    """Settled and ongoing balance. Credit that may pay for some prices only counts in full."""
    begun = CreditGrant.objects.filter(
        account_id=account_id, currency=currency, balance_minor__gt=0, effective_at__lte=at
    )
    drafts = Invoice.objects.filter(account_id=account_id, currency=currency, state=InvoiceState.DRAFT)
    return Wallet(
        account_id=account_id,
        currency=currency,
        settled_minor=begun.aggregate(total=Sum("balance_minor"))["total"] or 0,
        drafts_minor=drafts.aggregate(total=Sum("total_minor"))["total"] or 0,
        unbilled_minor=price_unbilled(account_id=account_id, currency=currency, at=at),
    )


def price_unbilled(*, account_id: int, currency: str, at: datetime) -> int:
    """What the usage of open periods costs, and all of the periods that are over and on no draft.

    The fees of a period that is under way are not counted: they are owed when it is billed. What of its usage was
    billed ahead already is taken off.
    """
    periods = Period.objects.filter(
        subscription__account_id=account_id,
        version__currency=currency,
        closed_at__isnull=True,
        starts_at__lte=at,
        is_free=False,
    ).exclude(invoices__state=InvoiceState.DRAFT)
    total = 0
    for period in periods.select_related("subscription"):
        terms = plans.read_version(period.version_id)
        lines = rate_period(
            terms,
            account_id=account_id,
            start=period.starts_at,
            end=period.ends_at,
            held=period.held,
            part=read_part(period, terms),
        )
        total += sum(line.amount_minor for line in lines if line.meter_id is not None or period.ends_at <= at)
    ahead = InvoiceItem.objects.filter(
        kind=ItemKind.PREBILLED,
        account_id=account_id,
        currency=currency,
        invoice_line=None,
        withdrawn_at=None,
        period_start__in=[period.starts_at for period in periods],
    )
    return total + (ahead.aggregate(sum=Sum("amount_minor"))["sum"] or 0)


def read_part(period: Period, terms: PlanTerms) -> Fraction:
    if not depends_on_part(terms):
        return WHOLE
    return read_share(period, terms, zone=profiles.read_profile(period.subscription.account_id).time_zone)


def make_entry(
    grant_id: int,
    kind: CreditKind,
    amount_minor: int,
    *,
    key: str,
    at: datetime,
    line: int = 0,
    invoice_id: int | None = None,
    by: int | None = None,
) -> EntryRow:
    """A movement as `write_entries` takes it."""
    return {
        "grant_id": grant_id,
        "kind": kind,
        "amount_minor": amount_minor,
        "key": key,
        "line": line,
        "invoice_id": invoice_id,
        "made_at": at,
        "made_by_id": by,
    }
