"""Automatic top-ups: when the ongoing balance falls below a rule's threshold, one is asked for by an invoice.

What is paid of the invoice is granted, and nothing before; with a void one the top-up is dropped. No second one is
asked for meanwhile. Credit never pays for credit.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Max, Q
from django.utils.translation import gettext

from billing.credits import grants
from billing.credits.grants import InvalidCredit
from billing.credits.ledger import read_wallet
from billing.drafting import draft_one_off
from billing.issuing import issue_one_off
from billing.items import add_item
from billing.models import CreditGrant, Invoice, ItemKind, TopUp, TopUpRule
from billing.money import Money, find_exponent
from jobs import queue

ASK_TOP_UP = "billing.ask_top_up"
WAITING = Q(grant__isnull=True, dropped_at__isnull=True)


@dataclass(frozen=True, slots=True)
class TopUpFact:
    """A top-up that was asked for by an invoice. It is paid once it has a grant, and given up once it was dropped."""

    id: int
    account_id: int
    currency: str
    number: int
    amount_minor: int
    asked_at: datetime
    invoice_id: int | None
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
    """The promised job: write down that the top-up of this number is wanted, and issue the invoice that asks for it.

    A second call, also after a kill, returns the same one.
    """
    rule = TopUpRule.objects.select_for_update(no_key=True).get(pk=rule_id)
    wanted = {"amount_minor": rule.amount_minor, "asked_at": at}
    asked, is_new = TopUp.objects.get_or_create(rule=rule, number=number, defaults=wanted)
    if is_new:
        asked.invoice = bill_top_up(asked, at=at)
        asked.save(update_fields=["invoice"])
    return describe_top_up(asked)


def bill_top_up(asked: TopUp, *, at: datetime) -> Invoice:
    """Credit bears no tax when it is bought: what it pays for later does."""
    rule = asked.rule
    item = add_item(
        account_id=rule.account_id,
        currency=rule.currency,
        kind=ItemKind.TOP_UP,
        description=gettext("Prepaid credit"),
        unit_amount=Money(asked.amount_minor, rule.currency).amount,
        key=name_key(asked),
        at=at,
    )
    draft = draft_one_off([item], account_id=rule.account_id, currency=rule.currency, at=at, is_taxed=False)
    return issue_one_off(draft.pk, at=at)


def follow_invoice(invoice: Invoice, *, paid_minor: int, at: datetime, by: int | None = None) -> None:
    """An invoice, whose row the caller has locked, was paid or made void: its top-up, if it is for one, follows it.

    What came in is granted. Where nothing did, because the invoice is void or was credited in full, the top-up is
    dropped, and its rule may ask again.
    """
    asked = TopUp.objects.select_for_update(of=("self",), no_key=True).filter(invoice=invoice).first()
    if asked is None or asked.grant_id is not None or asked.dropped_at is not None:
        return
    if paid_minor:
        grant = grants.top_up(
            account_id=invoice.account_id,
            currency=invoice.currency,
            amount_minor=paid_minor,
            key=name_key(asked),
            at=at,
            by=by,
        )
        asked.grant_id = grant.id
    else:
        asked.dropped_at = at
    asked.save(update_fields=["grant", "dropped_at"])


def lock_grant(invoice: Invoice) -> CreditGrant | None:
    """What was granted for a paid top-up; None where the invoice is for none."""
    found = CreditGrant.objects.select_for_update(no_key=True).filter(
        pk__in=TopUp.objects.filter(invoice=invoice, grant__isnull=False).values("grant")
    )
    return found.first()


def name_key(asked: TopUp) -> str:
    return f"top-up {asked.pk}"


def describe_top_up(asked: TopUp) -> TopUpFact:
    return TopUpFact(
        id=asked.pk,
        account_id=asked.rule.account_id,
        currency=asked.rule.currency,
        number=asked.number,
        amount_minor=asked.amount_minor,
        asked_at=asked.asked_at,
        invoice_id=asked.invoice_id,
        dropped_at=asked.dropped_at,
        grant_id=asked.grant_id,
    )
