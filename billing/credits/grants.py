"""Credit that is given: made once, voided once, read as it stands."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from billing import profiles
from billing.constraints import find_constraint
from billing.credits.burning import Grant
from billing.credits.ledger import make_entry, write_entries
from billing.credits.recurrence import InvalidRollover, Rollover, find_occurrence
from billing.models import CreditGrant, CreditKind, CreditSource
from billing.money import find_exponent
from billing.periods import Interval


class InvalidCredit(ValueError):
    """Terms on which no credit can be given; the message says what is wrong with them."""


class UnknownGrant(LookupError):
    """There is no credit grant with this id."""


@dataclass(frozen=True, slots=True)
class RecurrenceTerms:
    """The amount anew every `interval` after the grant takes effect, by the clocks of the account's time zone.

    Each time the rest expires, but for what rolls over: at most `rollover_max_minor`, and `rollover_min_minor` even
    where less is left. The last one begins before `until`.
    """

    interval: Interval
    rollover_min_minor: int = 0
    rollover_max_minor: int = 0
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class GrantFact:
    """A grant as it stands. Amounts are in the currency's smallest unit; an empty scope pays for anything."""

    id: int
    account_id: int
    currency: str
    source: str
    amount_minor: int
    balance_minor: int
    priority: int
    effective_at: datetime
    expires_at: datetime | None
    voided_at: datetime | None
    scope: tuple[str, ...]
    interval: Interval | None
    note: str


def grant_credit(
    *,
    account_id: int,
    currency: str,
    amount_minor: int,
    at: datetime,
    source: str = CreditSource.MANUAL,
    effective_at: datetime | None = None,
    expires_at: datetime | None = None,
    priority: int = 0,
    scope: Iterable[str] = (),
    recurrence: RecurrenceTerms | None = None,
    key: str = "",
    note: str = "",
    by: int | None = None,
) -> GrantFact:
    """Give an account credit from `effective_at` (default: now) until it expires.

    `scope` names the prices that it may pay for, as `spending.name_price` does. A second call with the same `key` for
    the account makes nothing and returns the first one's grant. `by` is a user's id. Raises InvalidCredit,
    UnknownCurrency, UnknownProfile where it recurs.
    """
    find_exponent(currency)
    grant = CreditGrant(
        account_id=account_id,
        currency=currency,
        source=source,
        amount_minor=amount_minor,
        priority=priority,
        effective_at=effective_at or at,
        expires_at=expires_at,
        scope=sorted(set(scope)),
        key=key,
        note=note,
        made_at=at,
        made_by_id=by,
    )
    require_sense(grant, recurrence)
    if recurrence is not None:
        begin_series(grant, recurrence)
    try:
        with transaction.atomic():
            open_grant(grant, at=at, by=by)
    except IntegrityError as error:
        if find_constraint(error) != "credit_grant_made_once_per_key":
            raise
        grant = CreditGrant.objects.get(account_id=account_id, key=key)
    return describe_grant(grant)


def top_up(
    *, account_id: int, currency: str, amount_minor: int, key: str, at: datetime, by: int | None = None
) -> GrantFact:
    """Credit that was paid for. The key names the payment: twice the same is one top-up."""
    return grant_credit(
        account_id=account_id,
        currency=currency,
        amount_minor=amount_minor,
        source=CreditSource.TOP_UP,
        key=key,
        at=at,
        by=by,
    )


def require_sense(grant: CreditGrant, recurrence: RecurrenceTerms | None) -> None:
    if grant.amount_minor <= 0:
        raise InvalidCredit(gettext("Credit is more than nothing."))
    if grant.expires_at is not None and grant.expires_at <= grant.effective_at:
        raise InvalidCredit(gettext("Credit expires after it takes effect."))
    if recurrence is None:
        return
    if grant.expires_at is not None:
        raise InvalidCredit("Credit that recurs expires when it does; say until when it recurs instead.")
    if recurrence.until is not None and recurrence.until <= grant.effective_at:
        raise InvalidCredit("Credit recurs until after it takes effect.")
    try:
        Rollover(Decimal(recurrence.rollover_min_minor), Decimal(recurrence.rollover_max_minor))
    except InvalidRollover as error:
        raise InvalidCredit(str(error)) from error


def begin_series(grant: CreditGrant, recurrence: RecurrenceTerms) -> None:
    grant.interval, grant.anchor = recurrence.interval.value, grant.effective_at
    grant.time_zone = profiles.read_profile(grant.account_id).time_zone
    grant.recurs_until = recurrence.until
    grant.rollover_min_minor, grant.rollover_max_minor = recurrence.rollover_min_minor, recurrence.rollover_max_minor
    grant.expires_at = find_occurrence(grant.effective_at, recurrence.interval, 1, time_zone=grant.time_zone)


def open_grant(grant: CreditGrant, *, at: datetime, by: int | None = None) -> None:
    """Store a new grant with the entry that fills it; the caller's transaction holds both together."""
    grant.save(force_insert=True)
    write_entries([make_entry(grant.pk, CreditKind.GRANTED, grant.amount_minor, key="granted", at=at, by=by)])
    grant.balance_minor = grant.amount_minor


@transaction.atomic
def void_grant(grant_id: int, *, at: datetime, by: int | None = None) -> GrantFact:
    """Take back what is left, and let it recur no more. A second call changes nothing. Raises UnknownGrant."""
    grant = CreditGrant.objects.select_for_update(no_key=True).filter(pk=grant_id).first()
    if grant is None:
        raise UnknownGrant(f"There is no credit grant {grant_id}.")
    if grant.voided_at is None:
        grant.voided_at = at
        grant.save(update_fields=["voided_at"])
        if grant.balance_minor:
            write_entries([make_entry(grant.pk, CreditKind.VOIDED, -grant.balance_minor, key="voided", at=at, by=by)])
            grant.balance_minor = 0
    return describe_grant(grant)


def take_from(grant: CreditGrant, amount_minor: int, *, key: str, at: datetime, by: int | None = None) -> None:
    """Take so much of what is left, of a grant that the caller has locked: it is given back in another way."""
    write_entries([make_entry(grant.pk, CreditKind.VOIDED, -amount_minor, key=key, at=at, by=by)])


def list_grants(*, account_id: int, currency: str) -> list[GrantFact]:
    """All that the account was ever granted, the newest first."""
    grants = CreditGrant.objects.filter(account_id=account_id, currency=currency).order_by("-effective_at", "-pk")
    return [describe_grant(grant) for grant in grants]


def state_terms(grant: CreditGrant) -> Grant:
    """What the order in which grants burn depends on; the amount is what is left."""
    return Grant(
        id=str(grant.pk),
        amount=Decimal(grant.balance_minor),
        effective_at=grant.effective_at,
        priority=grant.priority,
        expires_at=grant.expires_at,
        voided_at=grant.voided_at,
        scope=frozenset(grant.scope),
    )


def describe_grant(grant: CreditGrant) -> GrantFact:
    return GrantFact(
        id=grant.pk,
        account_id=grant.account_id,
        currency=grant.currency,
        source=str(grant.source),
        amount_minor=grant.amount_minor,
        balance_minor=grant.balance_minor,
        priority=grant.priority,
        effective_at=grant.effective_at,
        expires_at=grant.expires_at,
        voided_at=grant.voided_at,
        scope=tuple(grant.scope),
        interval=Interval(grant.interval) if grant.interval else None,
        note=grant.note,
    )
