"""Budgets as an account's people see and say them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.formats import sanitize_separators
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.budgets import (
    BudgetChangeFact,
    BudgetFact,
    InvalidBudget,
    check_levels,
    list_budget_changes,
    list_budgets,
)
from billing.lines import TOO_MUCH
from billing.money import Money, round_money
from billing.plans import read_version
from billing.spending import Spending, read_spendings
from billing.subscriptions import read_subscription
from metering.history import HistoryPruned
from metering.meters import list_meters
from portal.models import User

MOST_AMOUNT = Decimal(10) ** 12


@dataclass(frozen=True, slots=True)
class BudgetGround:
    """What a budget can be of: the account's currency, None without a subscription, and the meters that cost something.

    `meters` is by id.
    """

    currency: str | None
    meters: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class BudgetTotals:
    """What was spent so far, and what will be at the period's end at the pace so far; None where it cannot be told."""

    so_far: Spending | None
    at_close: Spending | None


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """A budget with what was spent of it, in smallest units; None where it cannot be told."""

    budget: BudgetFact
    spent_minor: int | None
    close_minor: int | None
    percent: Decimal | None

    @property
    def left_minor(self) -> int:
        return max(self.budget.amount_minor - (self.spent_minor or 0), 0)

    @property
    def bar_percent(self) -> int:
        return min(int(self.percent or 0), 100)

    @property
    def level(self) -> str:
        percent = self.percent or Decimal(0)
        return "over" if percent >= 100 else "warning" if percent >= 80 else "calm"


@dataclass(frozen=True, slots=True)
class BudgetWord:
    """Something that was said about a budget, and by whom."""

    change: BudgetChangeFact
    budget: BudgetFact
    who: str


class BudgetForm(forms.Form):
    """An amount in whole units of the account's currency, of everything or of one meter."""

    meter = forms.TypedChoiceField(label=_("What it is of"), required=False, coerce=int, empty_value=None)
    amount = forms.CharField(
        label=_("Amount for each period"), max_length=30, widget=forms.TextInput(attrs={"inputmode": "decimal"})
    )
    levels = forms.CharField(
        label=_("Also tell at these percentages"),
        required=False,
        max_length=100,
        help_text=_("Such as 50 90. At 80 % and 100 %, and each 25 % beyond, you are told in any case."),
    )

    def __init__(self, ground: BudgetGround, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.currency = ground.currency or ""
        meters = [(str(pk), name) for pk, name in ground.meters.items()]
        self.fields["meter"].choices = [("", gettext("Everything")), *meters]  # type: ignore[attr-defined]

    def clean_amount(self) -> Money:
        """As people write it in the active language. Raises ValidationError."""
        text = str(sanitize_separators("".join(self.cleaned_data["amount"].split())))
        try:
            amount = Decimal(text)
        except ArithmeticError:
            raise forms.ValidationError(gettext("Enter an amount, such as 250.")) from None
        if not amount.is_finite() or not 0 < amount <= MOST_AMOUNT:
            raise forms.ValidationError(gettext("A budget is more than nothing, and no more than can be billed."))
        rounded = round_money(amount, self.currency)
        if rounded.amount != amount:
            text = gettext("%(currency)s has no such small part.") % {"currency": self.currency}
            raise forms.ValidationError(text)
        return rounded

    def clean_levels(self) -> tuple[Decimal, ...]:
        """Numbers with spaces, semicolons or per cent signs between them. Raises ValidationError."""
        words = self.cleaned_data["levels"].replace("%", " ").replace(";", " ").split()
        try:
            return check_levels(Decimal(str(sanitize_separators(word.rstrip(",")))) for word in words)
        except ArithmeticError:
            raise forms.ValidationError(gettext("Enter percentages, such as 50 90.")) from None
        except InvalidBudget as error:
            raise forms.ValidationError(str(error)) from None


def read_ground(account_id: int, *, at: datetime) -> BudgetGround:
    """The meters that the account's plan charges, by name."""
    subscription = read_subscription(account_id=account_id, at=at)
    if subscription is None:
        return BudgetGround(None, {})
    charged = {price.meter_key for price in read_version(subscription.version_id).prices if price.meter_key}
    meters = sorted((meter for meter in list_meters() if meter.key in charged), key=lambda meter: meter.name)
    return BudgetGround(subscription.currency, {meter.id: meter.name for meter in meters})


def read_totals(account_id: int, *, at: datetime) -> BudgetTotals:
    return BudgetTotals(read_total(account_id, at=at), read_total(account_id, at=at, at_close=True))


def read_total(account_id: int, *, at: datetime, at_close: bool = False) -> Spending | None:
    try:
        return read_spendings([account_id], at=at, at_close=at_close).get(account_id)
    except (*TOO_MUCH, HistoryPruned):
        return None


def read_rows(account_id: int, totals: BudgetTotals) -> Sequence[BudgetRow]:
    """Those that were removed as well."""
    return [state_row(budget, totals) for budget in list_budgets([account_id], with_removed=True)]


def state_row(budget: BudgetFact, totals: BudgetTotals) -> BudgetRow:
    spent, close = (
        total.find_spent(budget.meter_id) if total and total.currency == budget.currency else None
        for total in (totals.so_far, totals.at_close)
    )
    return BudgetRow(budget, spent, close, None if spent is None else budget.find_percent(spent))


def read_history(account_id: int) -> Sequence[BudgetWord]:
    """What was said last of the account's budgets, the latest first."""
    known = {budget.id: budget for budget in list_budgets([account_id], with_removed=True)}
    changes = list_budget_changes(account_id)
    people = User.objects.in_bulk({each.made_by for each in changes if each.made_by is not None})
    return [
        BudgetWord(each, known[each.budget_id], str(people[each.made_by]) if each.made_by in people else "")
        for each in changes
    ]
