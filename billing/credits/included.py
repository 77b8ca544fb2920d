"""Credit that a plan version includes: granted with each period, good for that period, and gone with it.

A part of a period brings the same part of the credit as it asks of a fee. A free period brings none.
"""

from collections.abc import Iterable
from datetime import datetime
from fractions import Fraction

from django.db.models import Q

from billing.credits.grants import void_grant
from billing.credits.ledger import make_entry, write_entries
from billing.models import CreditGrant, CreditKind, CreditSource, Period
from billing.proration import WHOLE, prorate

KEY = "included in period "


def grant_included(periods: Iterable[Period], *, at: datetime, part: Fraction = WHOLE) -> None:
    """For periods that were stored just now, in the caller's transaction; `part` is what they ask of a fee."""
    open_grants(
        (
            make_grant(
                period,
                prorate(period.version.included_credit_minor, part),
                name_key(period.pk),
                end=period.ends_at,
                at=at,
            )
            for period in periods
            if period.version.included_credit_minor and not period.is_free
        ),
        at=at,
    )


def cut_included(period: Period, *, asked: Fraction, left: Fraction, at: datetime) -> None:
    """A period is cut at `at`, where `left` of its whole follows and `asked` was granted: take back what is left.

    What was used of the credit stays used, also where that is more than the part that was.
    """
    whole = period.version.included_credit_minor
    if not whole:
        return
    for grant in list_included([period.pk]):
        used = grant.amount_minor - grant.balance_minor
        void_grant(grant.pk, at=at)
        amount = prorate(whole, asked) - prorate(whole, left) - used
        key = f"{name_key(period.pk)}, until {at.isoformat()}"
        open_grants([make_grant(period, amount, key, end=at, at=at)], at=at)


def take_back(period_ids: Iterable[int], *, at: datetime) -> None:
    """The periods will not be: neither will be their credit."""
    for grant in list_included(period_ids):
        void_grant(grant.pk, at=at)


def list_included(period_ids: Iterable[int]) -> list[CreditGrant]:
    """What these periods brought and was not taken back, locked in the order in which all lock grants."""
    of_periods = Q(pk__in=[])
    for pk in period_ids:
        of_periods |= Q(key=name_key(pk)) | Q(key__startswith=f"{name_key(pk)},")
    grants = CreditGrant.objects.filter(of_periods, source=CreditSource.INCLUDED, voided_at=None)
    return list(grants.select_for_update(no_key=True).order_by("pk"))


def make_grant(period: Period, amount_minor: int, key: str, *, end: datetime, at: datetime) -> CreditGrant:
    return CreditGrant(
        account_id=period.subscription.account_id,
        currency=period.version.currency,
        source=CreditSource.INCLUDED,
        amount_minor=amount_minor,
        effective_at=period.starts_at,
        expires_at=end,
        key=key,
        made_at=at,
    )


def open_grants(grants: Iterable[CreditGrant], *, at: datetime) -> None:
    """Store those that are more than nothing, each with the entry that fills it."""
    made = CreditGrant.objects.bulk_create([grant for grant in grants if grant.amount_minor > 0])
    write_entries(make_entry(grant.pk, CreditKind.GRANTED, grant.amount_minor, key="granted", at=at) for grant in made)


def name_key(period_id: int) -> str:
    return f"{KEY}{period_id}"


def read_period_id(key: str) -> int:
    """The reverse of what names a grant of a period, cut or not."""
    return int(key.removeprefix(KEY).partition(",")[0])
