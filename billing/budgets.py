"""Budgets: what a customer means to spend in a period, of everything or of one meter, and what was spent of it.

A budget tells and never stops anything: usage that passes it is counted, billed and served like any other. It counts
what `billing.spending` says, within the period of the account's main subscription, and begins anew with the next.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext

from billing import profiles
from billing.alerting.looking import look_at_budgets
from billing.models import Budget, BudgetChange
from billing.money import find_exponent
from billing.subscriptions import read_currency
from metering.alerts import AlertCause

HUNDREDTH = Decimal("0.01")
MOST_LEVELS = 10
MOST_PERCENT = Decimal(1000)  # what lies beyond it is not told
MOST_MINOR = 10**15


class InvalidBudget(ValueError):
    """No such budget can be kept; `field` is at fault: amount, levels or currency."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class UnknownBudget(LookupError):
    """The account has no such budget."""


@dataclass(frozen=True, slots=True)
class BudgetFact:
    """A budget as it stands, in the smallest unit of its currency; without a meter it is of everything.

    `levels` are the customer's own, in percent, ascending, besides those of the rules.
    """

    id: int
    account_id: int
    meter_id: int | None
    meter_key: str
    meter_name: str
    currency: str
    amount_minor: int
    levels: tuple[Decimal, ...]
    is_active: bool
    epoch: int

    def find_percent(self, spent_minor: int) -> Decimal:
        """To two decimals, rounded down, so that 80 is never read before it is reached."""
        return Decimal(max(spent_minor, 0) * 10_000 // self.amount_minor).scaleb(-2)


@dataclass(frozen=True, slots=True)
class BudgetChangeFact:
    """What was said about a budget; `made_by` is the id of who said it, None of who is not known."""

    budget_id: int
    number: int
    amount_minor: int
    levels: tuple[Decimal, ...]
    is_active: bool
    at: datetime
    made_by: int | None


@transaction.atomic
def set_budget(
    *,
    account_id: int,
    amount_minor: int,
    currency: str,
    at: datetime,
    meter_id: int | None = None,
    levels: Iterable[Decimal] = (),
    by: int | None = None,
) -> BudgetFact:
    """Keep this budget, in place of the account's one for the same meter (or for everything), be it removed.

    Another amount is a new epoch: a level that held of a lower one, and still holds, is not told again. What is spent
    already is looked at at once. A second call changes nothing. Raises InvalidBudget, UnknownProfile, UnknownCurrency.
    """
    check_amount(account_id, amount_minor, currency)
    own = check_levels(levels)
    hold_profile(account_id)
    of_meter = Q(meter__isnull=True) if meter_id is None else Q(meter=meter_id)
    budget = load_budgets([account_id]).filter(of_meter).first()
    if budget is None:
        budget = Budget.objects.create(
            account_id=account_id, meter_id=meter_id, currency=currency, amount_minor=amount_minor, levels=own
        )
        cause = AlertCause.LIMIT_IS_NEW
    elif (budget.amount_minor, tuple(budget.levels), budget.is_active) == (amount_minor, own, True):
        return state_budget(budget)
    else:
        cause = AlertCause.LIMIT_CHANGED if budget.is_active else AlertCause.LIMIT_IS_NEW
        budget.epoch += budget.amount_minor != amount_minor
        budget.amount_minor, budget.levels, budget.is_active = amount_minor, list(own), True
        budget.save(update_fields=["epoch", "amount_minor", "levels", "is_active"])
    write_change(budget, at=at, by=by)
    look_at_budgets(account_id, at=at, cause=cause)
    return state_budget(budget)


def remove_budget(budget_id: int, *, account_id: int, at: datetime, by: int | None = None) -> BudgetFact:
    """Watch it no longer; what it alerted is over. It can be restored. Raises UnknownBudget."""
    return switch_budget(budget_id, account_id=account_id, is_active=False, at=at, by=by)


def restore_budget(budget_id: int, *, account_id: int, at: datetime, by: int | None = None) -> BudgetFact:
    """Watch it again, as it was. Raises UnknownBudget."""
    return switch_budget(budget_id, account_id=account_id, is_active=True, at=at, by=by)


@transaction.atomic
def switch_budget(budget_id: int, *, account_id: int, is_active: bool, at: datetime, by: int | None) -> BudgetFact:
    """A second call changes nothing."""
    if not Budget.objects.filter(pk=budget_id, account_id=account_id).exists():
        raise UnknownBudget(f"Account {account_id} has no budget {budget_id}.")
    hold_profile(account_id)
    budget = load_budgets([account_id]).get(pk=budget_id)
    if budget.is_active == is_active:
        return state_budget(budget)
    budget.is_active = is_active
    budget.save(update_fields=["is_active"])
    write_change(budget, at=at, by=by)
    look_at_budgets(account_id, at=at, cause=AlertCause.LIMIT_CHANGED)
    return state_budget(budget)


def hold_profile(account_id: int) -> None:
    """Whoever says something about an account's budgets, or looks at them, waits for whoever does. UnknownProfile."""
    profiles.read_profile(account_id)
    profiles.lock_profile(account_id)


def check_amount(account_id: int, amount_minor: int, currency: str) -> None:
    find_exponent(currency)
    if not 0 < amount_minor <= MOST_MINOR:
        raise InvalidBudget(gettext("A budget is more than nothing, and no more than can be billed."), "amount")
    if read_currency(account_id) not in (None, currency):
        raise InvalidBudget(gettext("The account is billed in another currency."), "currency")


def check_levels(levels: Iterable[Decimal]) -> tuple[Decimal, ...]:
    """Ascending, each once."""
    own = tuple(sorted(set(levels)))
    if any(not 0 < level <= MOST_PERCENT or level != level.quantize(HUNDREDTH) for level in own):
        raise InvalidBudget(
            gettext("A level is above 0 and at most 1000 percent, with two decimals at most."), "levels"
        )
    if len(own) > MOST_LEVELS:
        raise InvalidBudget(gettext("At most %(count)d levels can be named.") % {"count": MOST_LEVELS}, "levels")
    return own


def write_change(budget: Budget, *, at: datetime, by: int | None) -> None:
    BudgetChange.objects.create(
        budget=budget,
        number=budget.changes.count() + 1,
        epoch=budget.epoch,
        amount_minor=budget.amount_minor,
        levels=budget.levels,
        is_active=budget.is_active,
        at=at,
        made_by_id=by,
    )


def list_budgets(account_ids: Collection[int], *, with_removed: bool = False) -> list[BudgetFact]:
    """That of everything first, then by meter. One statement."""
    budgets = load_budgets(account_ids) if with_removed else load_budgets(account_ids).filter(is_active=True)
    return [state_budget(each) for each in budgets]


def list_budget_changes(account_id: int, *, limit: int = 20) -> list[BudgetChangeFact]:
    """The latest first."""
    changes = BudgetChange.objects.filter(budget__account_id=account_id).order_by("-at", "-pk")
    return [
        BudgetChangeFact(
            budget_id=each.budget_id,
            number=each.number,
            amount_minor=each.amount_minor,
            levels=tuple(each.levels),
            is_active=each.is_active,
            at=each.at,
            made_by=each.made_by_id,
        )
        for each in changes[:limit]
    ]


def load_budgets(account_ids: Collection[int]) -> QuerySet[Budget]:
    budgets = Budget.objects.filter(account__in=account_ids).select_related("meter")
    return budgets.order_by("account", F("meter__name").asc(nulls_first=True), "pk")


def state_budget(budget: Budget) -> BudgetFact:
    meter = budget.meter
    return BudgetFact(
        id=budget.pk,
        account_id=budget.account_id,
        meter_id=budget.meter_id,
        meter_key=meter.key if meter else "",
        meter_name=meter.name if meter else "",
        currency=budget.currency,
        amount_minor=budget.amount_minor,
        levels=tuple(budget.levels),
        is_active=budget.is_active,
        epoch=budget.epoch,
    )
