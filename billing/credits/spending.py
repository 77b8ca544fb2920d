"""Credit that pays for invoices, in the transaction that issues them; and credit that is given back.

Grants are locked before their balances are read, in the order of their ids, and stay locked until the caller's
transaction ends: whoever pays from the same wallet waits, and then sees what is left. What would slip past that the
database refuses: it lets no grant fall below nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Q, Sum

from billing.credits.burning import Charge, burn_grants
from billing.credits.grants import state_terms
from billing.credits.ledger import EntryRow, make_entry, write_entries
from billing.credits.settling import recur_due
from billing.lines import LineFact
from billing.models import CreditEntry, CreditGrant, CreditKind


@dataclass(frozen=True, slots=True)
class BillLine:
    """What a line asks, its tax included, in the smallest unit. `price` is its name, as a grant's scope has it."""

    position: int
    amount_minor: int
    price: str = ""


@dataclass(frozen=True, slots=True)
class Bill:
    """What credit may pay. `key` names it: it is paid once.

    Grants pay that are in effect at `moment`. For a period that is over it is its last moment and not the day of issue,
    so that credit for January pays for January's usage, and February's does not.
    """

    key: str
    account_id: int
    currency: str
    lines: tuple[BillLine, ...]
    moment: datetime
    invoice_id: int | None = None


@dataclass(frozen=True, slots=True)
class AppliedCredit:
    """How much of a line a grant pays, in the smallest unit."""

    grant_id: int
    position: int
    amount_minor: int


def name_price(line: LineFact) -> str:
    """What a grant's scope calls a price, the same in every version of a plan: its meter's key, or what it is for."""
    return line.meter_key or line.description


def burn_credits(
    account_id: int,
    lines: Iterable[BillLine],
    *,
    currency: str,
    key: str,
    moment: datetime,
    at: datetime,
    invoice_id: int | None = None,
) -> tuple[AppliedCredit, ...]:
    """Pay what there is credit for, in the caller's transaction; nothing is fine. A second call returns the first's."""
    bill = Bill(key, account_id, currency, tuple(lines), moment, invoice_id)
    return burn_bills([bill], at=at)[key]


@transaction.atomic
def burn_bills(bills: Sequence[Bill], *, at: datetime) -> dict[str, tuple[AppliedCredit, ...]]:
    """The same for many bills with different keys, in their order and in a fixed number of statements."""
    account_ids = {bill.account_id for bill in bills}
    grants: defaultdict[tuple[int, str], list[CreditGrant]] = defaultdict(list)
    for grant in lock_grants(account_ids, at=at):
        grants[grant.account_id, grant.currency].append(grant)
    applied = read_burned([bill.key for bill in bills], account_ids)
    entries: list[EntryRow] = []
    for bill in bills:
        if bill.key not in applied:
            applied[bill.key] = plan_bill(bill, grants[bill.account_id, bill.currency])
            entries += make_burns(bill, applied[bill.key], at=at)
    write_entries(entries)
    return {bill.key: applied[bill.key] for bill in bills}


def foresee_burns(bills: Sequence[Bill]) -> list[int]:
    """How much of each bill the credit at hand would pay, were it the only one. One statement; nothing is locked."""
    owners = {bill.account_id for bill in bills}
    grants = list(CreditGrant.objects.filter(account_id__in=owners, balance_minor__gt=0).order_by("pk"))
    paid = []
    for bill in bills:
        mine = [copy(each) for each in grants if (each.account_id, each.currency) == (bill.account_id, bill.currency)]
        paid.append(sum(each.amount_minor for each in plan_bill(bill, mine)))
    return paid


def lock_grants(account_ids: Collection[int], *, at: datetime) -> list[CreditGrant]:
    """The accounts' credit that is left, after series that are behind have recurred.

    What will recur is locked together with what will pay, in one order, so that no two payers hold what the other
    needs. Then all is read again: whoever we waited for may have let credit recur that was not there to be locked.
    """
    of_accounts = CreditGrant.objects.filter(account_id__in=account_ids).order_by("pk")
    locked = of_accounts.select_for_update(of=("self",), no_key=True)
    is_left = Q(balance_minor__gt=0)
    list(locked.filter(is_left | (~Q(interval="") & Q(next__isnull=True))).values_list("pk"))
    recur_due(at=at, account_ids=account_ids)
    return list(locked.filter(is_left))


def plan_bill(bill: Bill, grants: Sequence[CreditGrant]) -> tuple[AppliedCredit, ...]:
    """Choose, and take it off the grants in hand, so that the account's next bill finds what is left."""
    if not grants:
        return ()
    terms = [state for state in map(state_terms, grants) if state.is_active(bill.moment)]
    charges = [Charge(Decimal(line.amount_minor), line.price) for line in bill.lines]
    burns = burn_grants(terms, charges, balances={state.id: state.amount for state in terms})
    by_id = {grant.pk: grant for grant in grants}
    for burn in burns:
        by_id[int(burn.grant_id)].balance_minor -= int(burn.amount)
    return tuple(
        AppliedCredit(int(burn.grant_id), bill.lines[burn.charge].position, int(burn.amount)) for burn in burns
    )


def make_burns(bill: Bill, applied: Iterable[AppliedCredit], *, at: datetime) -> list[EntryRow]:
    return [
        make_entry(
            each.grant_id,
            CreditKind.BURNED,
            -each.amount_minor,
            key=bill.key,
            line=each.position,
            invoice_id=bill.invoice_id,
            at=at,
        )
        for each in applied
    ]


def read_burned(keys: Collection[str], account_ids: Collection[int]) -> dict[str, tuple[AppliedCredit, ...]]:
    """What bills were paid before; those that were not are left out."""
    found: defaultdict[str, tuple[AppliedCredit, ...]] = defaultdict(tuple)
    burned = CreditEntry.objects.filter(kind=CreditKind.BURNED, key__in=keys, grant__account_id__in=account_ids)
    for entry in burned.order_by("pk"):
        found[entry.key] += (AppliedCredit(entry.grant_id, entry.line, -entry.amount_minor),)
    return dict(found)


@transaction.atomic
def refund_burns(account_id: int, *, key: str, at: datetime, by: int | None = None) -> dict[int, int]:
    """Give back what a bill took, because it is void: grant id → amount. A second call gives nothing more.

    Credit that has expired meanwhile expires again when expiry next comes round, and what was voided stays so.
    """
    taken = CreditEntry.objects.filter(grant__account_id=account_id, key=key)
    ids = taken.values_list("grant_id", flat=True)
    grants = CreditGrant.objects.select_for_update(no_key=True).filter(pk__in=list(ids)).order_by("pk")
    is_void = {grant.pk: grant.voided_at is not None for grant in grants}
    if taken.filter(kind=CreditKind.REFUNDED).exists():
        return {}
    burned = taken.filter(kind=CreditKind.BURNED).order_by("grant_id").values_list("grant_id")
    back = {grant_id: -total for grant_id, total in burned.annotate(Sum("amount_minor"))}
    write_entries(list_refunds(back, is_void, key=key, at=at, by=by))
    return {grant_id: amount for grant_id, amount in back.items() if not is_void[grant_id]}


def list_refunds(
    back: Mapping[int, int], is_void: Mapping[int, bool], *, key: str, at: datetime, by: int | None
) -> Iterable[EntryRow]:
    for grant_id, amount in back.items():
        yield make_entry(grant_id, CreditKind.REFUNDED, amount, key=key, at=at, by=by)
        if is_void[grant_id]:
            yield make_entry(grant_id, CreditKind.VOIDED, -amount, key=key, at=at, by=by)
