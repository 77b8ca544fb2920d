"""Automatic top-ups: when the ongoing balance falls below a rule's threshold, one is asked for, and waits to be paid.

Nobody collects the payment yet. Until a payment gateway does, a top-up waits where finance sees it; whoever finds it
paid calls `settle_top_up`, and who finds that it will not be, `drop_top_up`. No second one is asked for meanwhile.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Max, Q

from billing.credits import grants
from billing.credits.grants import GrantFact, InvalidCredit
from billing.credits.ledger import read_wallet
from billing.models import TopUp, TopUpRule
from billing.money import find_exponent
from jobs import queue

ASK_TOP_UP = "billing.ask_top_up"
WAITING = Q(grant__isnull=True, dropped_at__isnull=True)


class UnknownTopUp(LookupError):
    """There is no top-up with this id."""


class TopUpDropped(ValueError):
    """The top-up was given up; a payment for it is a new top-up."""


@dataclass(frozen=True, slots=True)
class TopUpFact:
    """A top-up that was asked for. It is paid once it has a grant, and given up once it was dropped."""

    id: int
    account_id: int
    currency: str
    number: int
    amount_minor: int
    asked_at: datetime
    dropped_at: datetime | None
    grant_id: int | None


def set_rule(*, account_id: int, currency: str, threshold_minor: int, amount_minor: int, is_active: bool = True) -> int:
    """One rule for each wallet: a second call replaces the first. Returns its id.

    Raises InvalidCredit, UnknownCurrency.
    """
    find_exponent(currency)
    if amount_minor <= 0:
        raise InvalidCredit("A top-up is more than nothing.")
    terms = {"threshold_minor": threshold_minor, "amount_minor": amount_minor, "is_active": is_active}
    rule, _ = TopUpRule.objects.update_or_create(account_id=account_id, currency=currency, defaults=terms)
    return rule.pk


def promise_top_ups(at: datetime) -> int:
    """Promise a job for each wallet that is below its rule's threshold and waits for no top-up. Returns how many.

    The job's key is the number of the top-up to come, so that it is promised once, whoever looks and how often.
    """
    rules = TopUpRule.objects.filter(is_active=True).exclude(top_ups__in=TopUp.objects.filter(WAITING))
    promised = 0
    for rule in rules.annotate(last=Max("top_ups__number")).order_by("pk"):
        wallet = read_wallet(account_id=rule.account_id, currency=rule.currency, at=at)
        if wallet.ongoing_minor < rule.threshold_minor:
            key, number = f"{rule.pk}:{(rule.last or 0) + 1}", (rule.last or 0) + 1
            promised += queue.enqueue(ASK_TOP_UP, key, {"rule": rule.pk, "number": number}, at=at)
    return promised


@transaction.atomic
def ask_top_up(rule_id: int, number: int, *, at: datetime) -> TopUpFact:
    """The promised job: write down that the top-up of this number is wanted. A second call returns the same one."""
    rule = TopUpRule.objects.select_for_update(no_key=True).get(pk=rule_id)
    wanted = {"amount_minor": rule.amount_minor, "asked_at": at}
    asked, _ = TopUp.objects.get_or_create(rule=rule, number=number, defaults=wanted)
    return describe_top_up(asked)


@transaction.atomic
def settle_top_up(top_up_id: int, *, at: datetime, by: int | None = None) -> GrantFact:
    """It was paid: grant it. A second call returns the same grant. Raises UnknownTopUp, TopUpDropped."""
    asked = lock_top_up(top_up_id)
    if asked.dropped_at is not None:
        raise TopUpDropped(f"Top-up {top_up_id} was given up on {asked.dropped_at:%Y-%m-%d}.")
    grant = grants.top_up(
        account_id=asked.rule.account_id,
        currency=asked.rule.currency,
        amount_minor=asked.amount_minor,
        key=f"top-up {asked.pk}",
        at=at,
        by=by,
    )
    if asked.grant_id is None:
        asked.grant_id = grant.id
        asked.save(update_fields=["grant"])
    return grant


@transaction.atomic
def drop_top_up(top_up_id: int, *, at: datetime) -> TopUpFact:
    """It will not be paid; the rule may ask again. Changes nothing once it is paid or dropped. Raises UnknownTopUp."""
    asked = lock_top_up(top_up_id)
    if asked.grant_id is None and asked.dropped_at is None:
        asked.dropped_at = at
        asked.save(update_fields=["dropped_at"])
    return describe_top_up(asked)


def lock_top_up(top_up_id: int) -> TopUp:
    locked = TopUp.objects.select_for_update(of=("self",), no_key=True).select_related("rule")
    try:
        return locked.get(pk=top_up_id)
    except TopUp.DoesNotExist:
        raise UnknownTopUp(f"There is no top-up {top_up_id}.") from None


def describe_top_up(asked: TopUp) -> TopUpFact:
    return TopUpFact(
        id=asked.pk,
        account_id=asked.rule.account_id,
        currency=asked.rule.currency,
        number=asked.number,
        amount_minor=asked.amount_minor,
        asked_at=asked.asked_at,
        dropped_at=asked.dropped_at,
        grant_id=asked.grant_id,
    )
