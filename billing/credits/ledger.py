"""The ledger of credit: what moved and why, and how much of it there is. Entries are written here and never change."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet, Sum

from billing import plans, profiles
from billing.alerting.moves import note_moves_of_grants
from billing.lines import rate_readings
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
from billing.period_facts import read_details_of, read_part, read_usage
from billing.rows import insert_rows

EntryRow = Mapping[str, Any]  # a movement by the names of CreditEntry
WalletKey = tuple[int, str]  # account id and currency


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
    """Post movements; the database adds each to its grant, and refuses what would take that below nothing.

    What is left of the credit may be something to tell: the accounts are looked at after the caller's commit.
    """
    posted = list(entries)
    insert_rows(CreditEntry, posted)
    if posted:
        grant_ids = {entry["grant_id"] for entry in posted}
        note_moves_of_grants(grant_ids, at=max(entry["made_at"] for entry in posted))


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
    wallets = read_wallets([account_id], at=at)
    return wallets.get((account_id, currency)) or Wallet(account_id, currency, 0, 0, 0)


def read_wallets(account_ids: Collection[int], *, at: datetime) -> dict[WalletKey, Wallet]:
    """(account id, currency) → the same, for many at once; those of which there is nothing to say are left out.

    A fixed number of statements, but for what `read_details_of` and `read_share` ask. Raises what rate_readings raises.
    """
    begun = CreditGrant.objects.filter(account__in=account_ids, balance_minor__gt=0, effective_at__lte=at)
    drafted = Invoice.objects.filter(account__in=account_ids, state=InvoiceState.DRAFT)
    settled = sum_by_wallet(begun, "balance_minor")
    drafts = sum_by_wallet(drafted, "total_minor")
    unbilled = price_unbilled(account_ids, at=at)
    return {
        key: Wallet(*key, settled[key], drafts[key], unbilled[key])
        for key in sorted(settled.keys() | drafts.keys() | unbilled.keys())
    }


def sum_by_wallet(rows: QuerySet[Any], amount: str) -> Counter[WalletKey]:
    sums = rows.order_by().values_list("account_id", "currency").annotate(sum=Sum(amount))
    return Counter({(account_id, currency): total for account_id, currency, total in sums})


def price_unbilled(account_ids: Collection[int], *, at: datetime) -> Counter[WalletKey]:
    """What the usage of open periods costs, and all of the periods that are over and on no draft.

    The fees of a period that is under way are not counted: they are owed when it is billed. What of its usage was
    billed ahead already is taken off.
    """
    found = Period.objects.filter(
        subscription__account__in=account_ids, closed_at__isnull=True, starts_at__lte=at, is_free=False
    ).exclude(invoices__state=InvoiceState.DRAFT)
    periods = list(found.select_related("subscription").order_by("pk"))
    if not periods:
        return Counter()
    terms = plans.read_versions({period.version_id for period in periods})
    readings, details = read_usage(periods, terms), read_details_of(periods, terms)
    payers = profiles.read_profiles({period.subscription.account_id for period in periods})
    total: Counter[WalletKey] = Counter()
    for period in periods:
        account_id, plan = period.subscription.account_id, terms[period.version_id]
        part = read_part(period, plan, payers.get(account_id))
        lines = rate_readings(plan, readings[period.pk], details[period.pk], held=period.held, part=part)
        total[account_id, plan.currency] += sum(
            line.amount_minor for line in lines if line.meter_id is not None or period.ends_at <= at
        )
    total.update(read_ahead(periods))
    return total


def read_ahead(periods: Sequence[Period]) -> Counter[WalletKey]:
    """What of these periods was billed ahead and is not credited yet, below zero."""
    begun = {(period.subscription.account_id, period.starts_at) for period in periods}
    waiting = InvoiceItem.objects.filter(
        kind=ItemKind.PREBILLED,
        account__in={account_id for account_id, _start in begun},
        invoice_line=None,
        withdrawn_at=None,
    )
    ahead: Counter[WalletKey] = Counter()
    for account_id, currency, start, amount in waiting.values_list(
        "account_id", "currency", "period_start", "amount_minor"
    ):
        if (account_id, start) in begun:
            ahead[account_id, currency] += amount
    return ahead


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
