"""Looks at the money of accounts where something moved, and tells metering what it stands at; the rules are there.

A batch is one transaction and a fixed number of statements, however many accounts it has. The moves it answers are
taken away in it: one that is killed leaves them, and what it was about to tell is told by the next.
"""

import logging
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from django.db import transaction

from billing.alerting.credit import observe_credit
from billing.alerting.moves import find_last_move, gather_moved, take_moves
from billing.alerting.pace import find_expected
from billing.lines import TOO_MUCH
from billing.models import Budget, Period
from billing.money import Money
from billing.profiles import read_profiles
from billing.spending import Promise, Spending, choose_mains, list_running, read_spendings
from metering import alerts
from metering.alerts import AlertCause, AlertKind, LevelUnit, Observation
from metering.history import HistoryPruned

logger = logging.getLogger(__name__)

BATCH = 250
UNTOLD = (*TOO_MUCH, HistoryPruned)  # what such a period costs cannot be said; a person has to look at it


def look_at_moved(at: datetime) -> int:
    """Look at every account whose money moved, be it by usage. Returns how many alerts spoke.

    Several may run at once: an account is looked at by one of them at a time, and a second look finds nothing new.
    """
    gather_moved(at=at)
    spoken, until = 0, find_last_move()
    after: int | None = 0
    while after is not None:
        with transaction.atomic():
            account_ids, after = take_moves(after=after, until=until, batch=BATCH)
            spoken += look_at_accounts(account_ids, at=at)
    return spoken


def look_at_accounts(account_ids: Collection[int], *, at: datetime) -> int:
    """The same for these, whose profiles the caller holds. One whose cost cannot be said is left out and logged."""
    if not account_ids:
        return 0
    try:
        with transaction.atomic():
            return len(alerts.observe(list(observe_accounts(account_ids, at=at)), at=at))
    except UNTOLD as error:
        if len(account_ids) == 1:
            logger.warning("what account %s spends cannot be told: %s", *account_ids, error)
            return 0
    return sum(look_at_accounts([account_id], at=at) for account_id in sorted(account_ids))


def look_at_budgets(account_id: int, *, at: datetime, cause: AlertCause) -> int:
    """Somebody changed its budgets, which is the `cause`, and holds its profile. Returns how many alerts spoke."""
    try:
        spendings = read_spendings([account_id], at=at)
    except UNTOLD as error:
        logger.warning("what account %s spends cannot be told: %s", account_id, error)
        return 0
    return len(alerts.observe(list(observe_budgets(spendings)), at=at, cause=cause))


def observe_accounts(account_ids: Collection[int], *, at: datetime) -> Iterator[Observation]:
    """Only what an enabled rule may speak of is worked out."""
    kinds = alerts.list_live_kinds()
    running = list_running(account_ids, at=at)
    spendings = read_spendings(list_spenders(account_ids, kinds, running), at=at)
    if AlertKind.SPEND in kinds:
        yield from map(observe_spend, spendings.values())
    if AlertKind.BUDGET in kinds:
        yield from observe_budgets(spendings)
    if AlertKind.COMMITMENT in kinds:
        yield from observe_commitments(spendings, at=at)
    if AlertKind.CREDIT in kinds:
        yield from observe_credit(
            account_ids, mains=choose_mains(running, at=at), owners=read_profiles(account_ids), at=at
        )


def list_spenders(account_ids: Collection[int], kinds: Collection[str], running: Collection[Period]) -> set[int]:
    """Of whom it matters what they spend: all where a rule is about spend, else who has a budget or a promise."""
    if AlertKind.SPEND in kinds:
        return set(account_ids)
    spenders: set[int] = set()
    if AlertKind.BUDGET in kinds:
        spenders.update(
            Budget.objects.filter(account__in=account_ids, is_active=True).values_list("account_id", flat=True)
        )
    if AlertKind.COMMITMENT in kinds:
        spenders.update(each.subscription.account_id for each in running if each.version.commitment_minor)
    return spenders


def observe_spend(spending: Spending) -> Observation:
    """In whole units of the currency, as levels of a rule are entered."""
    return Observation(
        account_id=spending.account_id,
        kind=AlertKind.SPEND,
        unit=LevelUnit.ABSOLUTE,
        subject=spending.currency,
        currency=spending.currency,
        plan=spending.plan,
        time_zone=spending.time_zone,
        start=spending.start,
        end=spending.end,
        value=spending.spent,
        details={"currency": spending.currency, "spent_minor": spending.spent_minor},
    )


def observe_budgets(spendings: Mapping[int, Spending]) -> Iterator[Observation]:
    """One statement. A budget that was removed measures nothing any more, and what it alerted is over."""
    for budget in Budget.objects.filter(account__in=spendings).order_by("pk"):
        spending = spendings[budget.account_id]
        if budget.currency == spending.currency:
            yield observe_budget(budget, spending)


def observe_budget(budget: Budget, spending: Spending) -> Observation:
    spent = Money(spending.find_spent(budget.meter_id), budget.currency)
    return Observation(
        account_id=budget.account_id,
        kind=AlertKind.BUDGET,
        unit=LevelUnit.PERCENT,
        subject=f"budget {budget.pk}",
        currency=budget.currency,
        meter_id=budget.meter_id,
        plan=spending.plan,
        time_zone=spending.time_zone,
        start=spending.start,
        end=spending.end,
        epoch=budget.epoch,
        value=spent.amount,
        base=Money(budget.amount_minor, budget.currency).amount if budget.is_active else None,
        own_levels=tuple(budget.levels),
        details={
            "currency": budget.currency,
            "spent_minor": spent.minor,
            "budget_minor": budget.amount_minor,
            "budget_id": budget.pk,
        },
    )


def observe_commitments(spendings: Mapping[int, Spending], *, at: datetime) -> Iterator[Observation]:
    for spending in spendings.values():
        for promise in spending.promises:
            expected = find_expected(promise.promised_minor, start=promise.start, end=promise.end, at=at)
            if expected is not None:
                yield from observe_pace(promise, spending, expected_minor=expected)


def observe_pace(promise: Promise, spending: Spending, *, expected_minor: int) -> Iterator[Observation]:
    """One for rules that fall (too slow), one for those that rise (too fast): each has alerts of its own."""
    for subject, is_falling in (("behind", True), ("ahead", False)):
        yield Observation(
            account_id=spending.account_id,
            kind=AlertKind.COMMITMENT,
            unit=LevelUnit.PERCENT,
            subject=f"subscription {promise.subscription_id} {subject}",
            currency=spending.currency,
            plan=promise.plan,
            time_zone=spending.time_zone,
            start=promise.start,
            end=promise.end,
            value=Money(promise.spent_minor, spending.currency).amount,
            base=Money(expected_minor, spending.currency).amount,
            is_falling=is_falling,
            details={
                "currency": spending.currency,
                "spent_minor": promise.spent_minor,
                "promised_minor": promise.promised_minor,
                "subscription_id": promise.subscription_id,
            },
        )
