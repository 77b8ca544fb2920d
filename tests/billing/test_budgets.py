"""Budgets: said by the customer, told as they are spent, and never in the way of usage. January has 31 days."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from billing import invariants
from billing.alerting.looking import look_at_moved
from billing.budgets import (
    InvalidBudget,
    UnknownBudget,
    list_budget_changes,
    list_budgets,
    remove_budget,
    restore_budget,
    set_budget,
)
from billing.models import Budget, BudgetChange
from billing.profiles import UnknownProfile
from metering.meters import find_meter
from metering.models import Alert
from tests.billing.alerting.makers import list_levels, list_told, make_customers
from tests.billing.makers import HOUR, use
from tests.billing.threads import run_together

JAN_11 = datetime(2026, 1, 11, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def account_id(db) -> int:
    [account_id] = make_customers("acme")
    return account_id


def keep(account_id, amount, *, at=JAN_11, **terms):
    return set_budget(account_id=account_id, amount_minor=amount * 100, currency="EUR", at=at, **terms)


def spend(requests, *, at):
    use("acme", sizes=[1] * requests, time=at)
    look_at_moved(at)


def test_a_budget_is_told_at_80_and_100_percent_and_each_25_beyond(account_id):
    keep(account_id, 100)
    spend(69, at=JAN_11)
    assert list_levels(account_id, "budget") == []
    for requests in (1, 20, 24, 1):
        spend(requests, at=JAN_11 + HOUR)
    assert [
        (int(fact.level), fact.used, fact.quantity, fact.start, fact.end) for fact in list_told(account_id, "budget")
    ] == [
        (80, 80, 100, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
        (100, 100, 100, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
        (125, 125, 100, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
    ]


def test_a_budget_stops_nothing(account_id):
    keep(account_id, 20)
    assert use("acme", sizes=[1] * 50, time=JAN_11) == ["accepted"] * 50


def test_levels_of_the_customers_own_are_told_besides(account_id):
    keep(account_id, 100, levels=[Decimal(50), Decimal("62.5")])
    for requests in (41, 12, 20):
        spend(requests, at=JAN_11)
    assert [fact.level for fact in list_told(account_id, "budget")] == [50, Decimal("62.5"), 80]


def test_a_budget_of_one_meter_counts_what_that_costs(account_id):
    keep(account_id, 50, meter_id=find_meter("requests").id)
    keep(account_id, 50, meter_id=find_meter("bandwidth").id)
    spend(45, at=JAN_11)
    assert [(fact.level, fact.used, fact.meter_key) for fact in list_told(account_id, "budget")] == [
        (80, 45, "requests")
    ]


def test_a_new_budget_below_what_was_spent_speaks_at_once_and_says_so(account_id):
    use("acme", sizes=[1] * 90, time=JAN_11)
    keep(account_id, 50)
    [told] = list_told(account_id, "budget")
    assert (told.level, told.cause, told.used) == (200, "limit_is_new", 100)


def test_a_raised_budget_is_over_and_speaks_anew_when_it_is_reached_again(account_id):
    keep(account_id, 100)
    spend(75, at=JAN_11)
    keep(account_id, 200, at=JAN_11 + HOUR)
    [told] = list_told(account_id, "budget")
    assert (told.level, told.recovery, told.resolved_at) == (80, "limit_changed", JAN_11 + HOUR)
    spend(80, at=JAN_11 + 2 * HOUR)
    assert [(fact.level, fact.quantity, fact.epoch) for fact in list_told(account_id, "budget")] == [
        (80, 100, 1),
        (80, 200, 2),
    ]


def test_a_lowered_budget_speaks_at_once(account_id):
    keep(account_id, 100)
    spend(75, at=JAN_11)
    keep(account_id, 80, at=JAN_11 + HOUR)
    assert [(fact.level, fact.cause) for fact in list_told(account_id, "budget")] == [
        (80, "usage"),
        (100, "limit_changed"),
    ]


def test_a_removed_budget_is_silent_until_it_is_restored(account_id):
    budget = keep(account_id, 100)
    spend(75, at=JAN_11)
    remove_budget(budget.id, account_id=account_id, at=JAN_11 + HOUR)
    assert list_told(account_id, "budget")[0].resolved_at == JAN_11 + HOUR
    spend(30, at=JAN_11 + 2 * HOUR)
    assert (list_levels(account_id, "budget"), list_budgets([account_id])) == ([80], [])
    restore_budget(budget.id, account_id=account_id, at=JAN_11 + DAY + 2 * HOUR)
    assert list_levels(account_id, "budget") == [80, 100]


def test_taking_a_removal_back_at_once_tells_nothing_twice(account_id):
    budget = keep(account_id, 100)
    spend(75, at=JAN_11)
    remove_budget(budget.id, account_id=account_id, at=JAN_11 + HOUR)
    restored = restore_budget(budget.id, account_id=account_id, at=JAN_11 + HOUR)
    assert (restored.is_active, restored.epoch, list_levels(account_id, "budget")) == (True, 1, [80])
    assert Alert.objects.get(state="suppressed").silence == "flap"


def test_saying_the_same_twice_changes_nothing(account_id):
    first = keep(account_id, 100, levels=[Decimal(50)])
    assert keep(account_id, 100, levels=[Decimal("50.00")], at=JAN_11 + HOUR) == first
    assert BudgetChange.objects.count() == 1
    removed = [remove_budget(first.id, account_id=account_id, at=JAN_11) for _ in range(2)]
    assert (removed[0] == removed[1], BudgetChange.objects.count()) == (True, 2)


def test_what_was_said_stays_on_record(account_id, django_user_model):
    person = django_user_model.objects.create_user("ann@acme.example")
    budget = keep(account_id, 100, by=person.pk)
    keep(account_id, 200, at=JAN_11 + HOUR)
    remove_budget(budget.id, account_id=account_id, at=JAN_11 + 2 * HOUR)
    assert [(each.amount_minor, each.is_active, each.made_by) for each in list_budget_changes(account_id)] == [
        (200_00, False, None),
        (200_00, True, None),
        (100_00, True, person.pk),
    ]
    for spoil in (BudgetChange.objects.all().delete, lambda: BudgetChange.objects.update(amount_minor=1)):
        with pytest.raises(IntegrityError), transaction.atomic():
            spoil()


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"amount_minor": 0}, "amount"),
        ({"amount_minor": 10**16}, "amount"),
        ({"currency": "USD"}, "currency"),
        ({"levels": [Decimal(0)]}, "levels"),
        ({"levels": [Decimal(1001)]}, "levels"),
        ({"levels": [Decimal("50.001")]}, "levels"),
        ({"levels": [Decimal(n) for n in range(1, 12)]}, "levels"),
    ],
)
def test_no_other_budget_can_be_kept(account_id, terms, field):
    with pytest.raises(InvalidBudget) as refused:
        set_budget(**{"account_id": account_id, "amount_minor": 100, "currency": "EUR", "at": JAN_11} | terms)
    assert (refused.value.field, Budget.objects.count()) == (field, 0)


def test_nobody_keeps_a_budget_of_an_account_that_is_not_billed_or_of_anothers(account_id):
    with pytest.raises(UnknownProfile):
        keep(account_id + 1, 100)
    budget = keep(account_id, 100)
    for move in (remove_budget, restore_budget):
        with pytest.raises(UnknownBudget):
            move(budget.id, account_id=account_id + 1, at=JAN_11)
    assert list_budgets([account_id]) == [budget]


def test_the_percentage_is_rounded_down(account_id):
    budget = keep(account_id, 3)
    assert [budget.find_percent(minor) for minor in (0, 100, 299, 300, -5)] == [
        Decimal(value) for value in ("0.00", "33.33", "99.66", "100.00", "0.00")
    ]


@pytest.mark.django_db(transaction=True)
def test_the_same_budget_said_by_four_at_once_is_one():
    [account_id] = make_customers("acme")
    use("acme", sizes=[1] * 90, time=JAN_11)
    kept = run_together(*[lambda: keep(account_id, 100)] * 4)
    assert len(set(kept)) == 1
    assert (BudgetChange.objects.count(), list_levels(account_id, "budget")) == (1, [100])
    assert list(invariants.check()) == []


@pytest.mark.parametrize(
    "spoil",
    [
        {"amount_minor": 1},
        {"is_active": False},
        {"epoch": 2},
        {"levels": [Decimal(5)]},
    ],
)
def test_a_budget_that_stands_otherwise_than_it_was_said_is_found(account_id, spoil):
    keep(account_id, 100)
    assert list(invariants.check()) == []
    Budget.objects.update(**spoil)
    assert {each.rule for each in invariants.check()} >= {"a budget stands as it was said"}
