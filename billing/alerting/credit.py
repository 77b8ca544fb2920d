"""What is left of credit, against what there was when the last of it came."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString

from django.db import connection

from billing.credits.ledger import Wallet, read_wallets
from billing.models import CreditSource, Period
from billing.money import Money
from billing.profiles import ProfileFact
from metering.alerts import AlertKind, LevelUnit, Observation

QUIET_AFTER = timedelta(days=35)  # a wallet that was empty for longer tells nobody anything new
LONGEST = timedelta(days=366)  # a window that nothing ends

# What came of the last grant is what there was at that moment: its own amount and what was left of those before it.
# What an invoice gave back is credit, but nobody's purchase: it begins no window.
FIND_FILLED: LiteralString = """
    WITH latest AS (
        SELECT DISTINCT ON (account_id, currency) account_id, currency, GREATEST(effective_at, made_at) AS filled_at
        FROM billing_creditgrant
        WHERE account_id = ANY(%(accounts)s) AND effective_at <= %(at)s AND made_at <= %(at)s AND voided_at IS NULL
            AND source <> %(note)s
        ORDER BY account_id, currency, filled_at DESC
    )
    SELECT latest.account_id, latest.currency, latest.filled_at,
        coalesce(sum(entry.amount_minor) FILTER (
            WHERE entry.made_at <= latest.filled_at AND grant_.effective_at <= latest.filled_at
                AND (grant_.expires_at IS NULL OR grant_.expires_at > latest.filled_at)
        ), 0)::bigint,
        min(grant_.expires_at) FILTER (WHERE grant_.balance_minor > 0 AND grant_.expires_at > %(at)s),
        max(entry.made_at)
    FROM latest
    JOIN billing_creditgrant grant_ ON (grant_.account_id, grant_.currency) = (latest.account_id, latest.currency)
    JOIN billing_creditentry entry ON entry.grant_id = grant_.id
    GROUP BY 1, 2, 3
    ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Filled:
    """A wallet when the last credit came: how much there was then, and when what is left begins to expire, if it does.

    `moved_at` is when anything last moved.
    """

    account_id: int
    currency: str
    filled_at: datetime
    filled_minor: int
    expires_at: datetime | None
    moved_at: datetime


def observe_credit(
    account_ids: Collection[int],
    *,
    mains: Mapping[int, Period],
    owners: Mapping[int, ProfileFact],
    at: datetime,
) -> Iterator[Observation]:
    """Two of each wallet that was ever filled: in percent of what there was then, and in whole units of its currency.

    What is left is what will be once all usage so far is billed (`Wallet.ongoing_minor`). A window begins when credit
    comes, and ends when what is left of it first expires, or else with the account's period (`mains`, by account id).
    """
    filled = [each for each in find_filled(account_ids, at=at) if each.filled_minor > 0]
    wallets = read_wallets({each.account_id for each in filled}, at=at) if filled else {}
    for each in filled:
        wallet = wallets.get((each.account_id, each.currency)) or Wallet(each.account_id, each.currency, 0, 0, 0)
        if wallet.settled_minor > 0 or at - each.moved_at < QUIET_AFTER:
            period, owner = mains.get(each.account_id), owners.get(each.account_id)
            yield from observe_wallet(each, wallet, period, zone=owner.time_zone if owner else "UTC", at=at)


def observe_wallet(
    filled: Filled, wallet: Wallet, period: Period | None, *, zone: str, at: datetime
) -> Iterator[Observation]:
    left, base = Money(wallet.ongoing_minor, wallet.currency).amount, Money(filled.filled_minor, wallet.currency).amount
    for unit in (LevelUnit.PERCENT, LevelUnit.ABSOLUTE):
        yield Observation(
            account_id=filled.account_id,
            kind=AlertKind.CREDIT,
            unit=unit,
            subject=filled.currency,
            currency=filled.currency,
            plan=period.version.plan.slug if period else "",
            time_zone=zone,
            start=filled.filled_at,
            end=find_end(filled, period, at=at),
            value=left,
            base=base if unit == LevelUnit.PERCENT else None,
            details={
                "currency": filled.currency,
                "left_minor": wallet.ongoing_minor,
                "filled_minor": filled.filled_minor,
                "expires_at": filled.expires_at.isoformat() if filled.expires_at else None,
            },
        )


def find_end(filled: Filled, period: Period | None, *, at: datetime) -> datetime:
    if filled.expires_at is not None:
        return filled.expires_at
    return period.ends_at if period else max(filled.filled_at, at) + LONGEST


def find_filled(account_ids: Collection[int], *, at: datetime) -> list[Filled]:
    """One for each wallet that was ever granted anything but by a credit note. One statement."""
    if not account_ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(FIND_FILLED, {"accounts": list(account_ids), "at": at, "note": CreditSource.CREDIT_NOTE})
        return [Filled(*row) for row in cursor.fetchall()]
