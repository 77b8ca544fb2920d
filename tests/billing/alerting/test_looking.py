"""Spend, budgets, credit and commitments are told where something moved, once. January has 31 days."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import lines, seats, subscriptions, switching
from billing.alerting.looking import look_at_moved
from billing.alerting.moves import note_by_clock
from billing.budgets import set_budget
from billing.models import MoneyMove, Subscription
from billing.plans import PeriodTerms
from billing.rating import flat_fee
from metering.models import Alert, AlertRule, Limit
from tests.billing.alerting.makers import EURO_EACH, list_levels, list_told, make_customers, make_rule
from tests.billing.makers import FEB, HOUR, JAN, make_plan, use
from tests.billing.threads import run_together

pytestmark = pytest.mark.django_db

JAN_11 = datetime(2026, 1, 11, tzinfo=UTC)
DAY = timedelta(days=1)


def test_spend_is_told_in_whole_units_of_the_currency():
    [account_id] = make_customers("acme")
    make_rule("spend", 50, 100, currency="EUR")
    make_rule("spend", 20, currency="USD")
    use("acme", sizes=[1] * 39, time=JAN_11)
    look_at_moved(JAN_11)
    use("acme", sizes=[1], time=JAN_11)
    look_at_moved(JAN_11 + HOUR)
    [told] = list_told(account_id, "spend")
    assert (told.level, told.used, told.subject, told.plan, told.details["spent_minor"]) == (
        50, 50, "EUR", "euro", 50_00,
    )  # fmt: skip


def test_spend_recurs_by_a_step_and_of_several_levels_the_highest_speaks():
    [account_id] = make_customers("acme")
    make_rule("spend", 50, repeat_step=100)
    for requests in (300, 40):
        use("acme", sizes=[1] * requests, time=JAN_11)
        look_at_moved(JAN_11)
    assert list_levels(account_id, "spend") == [250, 350]


def test_a_second_look_finds_nothing_new():
    [account_id] = make_customers("acme")
    make_rule("spend", 50)
    use("acme", sizes=[1] * 90, time=JAN_11)
    assert [look_at_moved(JAN_11), look_at_moved(JAN_11)] == [1, 0]
    assert (MoneyMove.objects.count(), Limit.objects.filter(needs_rating=True, starts_at__lte=JAN_11).count()) == (0, 0)
    assert list_levels(account_id, "spend") == [50]


def test_a_period_that_begins_is_looked_at_without_usage():
    """Its fee is more than was meant to be spent."""
    [account_id] = make_customers("acme")
    set_budget(account_id=account_id, amount_minor=8_00, currency="EUR", at=JAN)
    subscriptions.open_next_periods(FEB - HOUR)
    look_at_moved(FEB - HOUR)
    assert list_levels(account_id, "budget") == [125]
    look_at_moved(FEB)
    assert [fact.start for fact in list_told(account_id, "budget")] == [JAN, FEB]


def test_seats_that_were_added_move_what_is_spent():
    [account_id] = make_customers("acme", prices=[flat_fee("Seats", Decimal(31), per_seat=True)])
    make_rule("spend", 60)
    look_at_moved(JAN)
    seats.change_quantity(Subscription.objects.get().pk, 3, at=datetime(2026, 1, 16, 12, tzinfo=UTC))
    look_at_moved(JAN + 16 * DAY)
    assert [(fact.level, fact.used) for fact in list_told(account_id, "spend")] == [(60, 62)]


def test_a_trial_spends_nothing():
    make_rule("spend", 5)
    [account_id] = make_customers("acme", periods=PeriodTerms(trial_days=14))
    use("acme", sizes=[1] * 90, time=JAN_11)
    look_at_moved(JAN_11)
    assert list_levels(account_id, "spend") == []


def test_what_is_told_names_the_accounts_clock():
    [account_id] = make_customers("acme", time_zone="Asia/Tokyo")
    make_rule("spend", 5)
    look_at_moved(JAN)
    assert [fact.time_zone for fact in list_told(account_id, "spend")] == ["Asia/Tokyo"]


def test_behind_the_pace_of_a_commitment_is_told_once_the_first_week_is_over():
    """Of 310 euros ten are due each day."""
    [account_id] = make_customers("acme", commitment_minor=310_00)
    look_at_moved(JAN + 6 * DAY)
    note_by_clock(at=JAN + 6 * DAY)
    look_at_moved(JAN + 6 * DAY)
    assert list_levels(account_id, "commitment") == []
    use("acme", sizes=[1] * 60, time=JAN_11)
    note_by_clock(at=JAN + 10 * DAY)
    look_at_moved(JAN + 10 * DAY)
    [told] = list_told(account_id, "commitment")
    assert (told.level, told.used, told.quantity, told.severity) == (70, 70, 100, "info")
    assert told.details["promised_minor"] == 310_00


def test_time_alone_tells_who_uses_nothing_of_a_commitment():
    [account_id] = make_customers("acme", commitment_minor=310_00)
    look_at_moved(JAN)
    for day in (8, 9):
        note_by_clock(at=JAN + day * DAY)
        look_at_moved(JAN + day * DAY)
    assert [(fact.level, fact.detected_at) for fact in list_told(account_id, "commitment")] == [(70, JAN + 8 * DAY)]


def test_ahead_of_the_pace_is_told_where_a_rule_says_so():
    [account_id] = make_customers("acme", commitment_minor=310_00)
    make_rule("commitment", 150, unit="percent", direction="rising")
    use("acme", sizes=[1] * 150, time=JAN_11)
    look_at_moved(JAN_11)
    [told] = list_told(account_id, "commitment")
    assert (told.level, told.used, told.quantity, told.subject[-5:]) == (150, 160, 100, "ahead")


def test_a_part_of_a_period_has_its_part_of_the_commitment():
    """From 16 January noon on half of it: 155 euros, of which seven days of 15.5 are due by the 23rd, noon."""
    [account_id] = make_customers("acme")
    make_plan("promised", prices=EURO_EACH, limits=[], commitment_minor=310_00)
    changed = datetime(2026, 1, 16, 12, tzinfo=UTC)
    switching.change_plan(Subscription.objects.get().pk, "promised", at=changed)
    note_by_clock(at=changed + 7 * DAY)
    look_at_moved(changed + 7 * DAY)
    [told] = list_told(account_id, "commitment")
    assert (told.details["promised_minor"], told.quantity, told.start) == (155_00, 70, changed)


def test_an_account_whose_cost_cannot_be_told_stops_no_other(monkeypatch):
    broken, sound = make_customers("broken", "sound")
    make_rule("spend", 50)
    for key in ("broken", "sound"):
        use(key, sizes=[1] * 60, time=JAN_11)
    use("broken", sizes=[1] * 2, time=JAN_11)
    whole = lines.rate_line

    def refuse(position, price, reading, *args, **kwargs):
        if reading is not None and reading.quantity == 62:
            raise lines.AmountTooLarge(Decimal(1))
        return whole(position, price, reading, *args, **kwargs)

    monkeypatch.setattr(lines, "rate_line", refuse)
    look_at_moved(JAN_11)
    assert (list_levels(broken, "spend"), list_levels(sound, "spend")) == ([], [50])
    assert MoneyMove.objects.count() == 0


def test_where_no_rule_is_switched_on_nothing_is_worked_out():
    [account_id] = make_customers("acme")
    set_budget(account_id=account_id, amount_minor=8_00, currency="EUR", at=JAN)
    AlertRule.objects.update(is_enabled=False)
    use("acme", sizes=[1] * 90, time=JAN_11)
    with CaptureQueriesContext(connection) as queries:
        look_at_moved(JAN_11)
    assert not [query for query in queries if "hourlyrollup" in query["sql"]]


def test_a_look_costs_the_same_however_many_moved():
    ids = make_customers(*(f"account-{n}" for n in range(12)))
    for account_id in ids:
        set_budget(account_id=account_id, amount_minor=20_00, currency="EUR", at=JAN)
    look_at_moved(JAN)
    counts = []
    for keys in (["account-0"], [f"account-{n}" for n in range(1, 12)]):
        for key in keys:
            use(key, sizes=[1] * 12, time=JAN_11)
        with CaptureQueriesContext(connection) as queries:
            assert look_at_moved(JAN_11) == len(keys)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 50


@pytest.mark.django_db(transaction=True)
def test_four_looks_at_once_tell_each_level_once():
    ids = make_customers(*(f"account-{n}" for n in range(6)))
    make_rule("spend", 50)
    for n in range(6):
        use(f"account-{n}", sizes=[1] * 60, time=JAN_11)
    results = run_together(*[lambda: look_at_moved(JAN_11)] * 4)
    assert sum(results) == 6
    assert [list_levels(account_id, "spend") for account_id in ids] == [[50]] * 6
    assert MoneyMove.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_look_that_is_killed_is_made_up_for_by_the_next(monkeypatch):
    [account_id] = make_customers("acme")
    make_rule("spend", 50)
    use("acme", sizes=[1] * 60, time=JAN_11)

    def die(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("metering.alerts.observe", die)
        with pytest.raises(KeyboardInterrupt):
            look_at_moved(JAN_11)
    assert (MoneyMove.objects.count(), Alert.objects.count()) == (1, 0)
    look_at_moved(JAN_11)
    assert list_levels(account_id, "spend") == [50]
