"""Credit for tests, through its doors."""

from datetime import UTC, datetime, timedelta

from billing.credits import grants, ledger, spending
from billing.credits.spending import BillLine
from billing.models import CreditEntry
from tests.billing.makers import make_account

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def give(amount_minor=1_000, *, account_id=None, at=NOON, currency="EUR", **terms):
    account_id = account_id or make_account().id
    return grants.grant_credit(account_id=account_id, currency=currency, amount_minor=amount_minor, at=at, **terms)


def burn(account_id, *amounts, key="bill 1", at=NOON, moment=None, currency="EUR", prices=None):
    """grant id → what it paid, over all lines."""
    names = prices or [""] * len(amounts)
    lines = [BillLine(place, amount, name) for place, (amount, name) in enumerate(zip(amounts, names, strict=True), 1)]
    applied = spending.burn_credits(account_id, lines, currency=currency, key=key, moment=moment or at, at=at)
    paid = {}
    for each in applied:
        paid[each.grant_id] = paid.get(each.grant_id, 0) + each.amount_minor
    return paid


def list_entries(grant_id=None):
    entries = CreditEntry.objects.order_by("pk")
    if grant_id is not None:
        entries = entries.filter(grant_id=grant_id)
    return [(entry.kind, entry.amount_minor) for entry in entries]


def read_settled(account_id, *, at=NOON, currency="EUR"):
    return ledger.read_wallet(account_id=account_id, currency=currency, at=at).settled_minor
