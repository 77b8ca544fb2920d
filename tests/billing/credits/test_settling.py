from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.conf import settings

from billing import invariants, invoicing
from billing.credits import grants, settling
from billing.credits.grants import RecurrenceTerms
from billing.credits.spending import refund_burns
from billing.credits.top_ups import set_rule
from billing.models import CreditGrant
from billing.periods import Interval
from billing.tasks import settle_credits
from jobs.models import Job
from tests.billing.credits.makers import DAY, NOON, burn, give, list_entries, read_settled
from tests.billing.makers import FEB, HOUR, JAN, MAR, MID_JAN, make_account, make_subscription

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def sound():
    yield
    assert list(invariants.check()) == []


def test_what_is_left_expires_and_once():
    grant = give(1_000, expires_at=NOON + DAY)
    burn(grant.account_id, 300)
    assert settling.expire_due(NOON + DAY - timedelta(microseconds=1)) == 0
    assert [settling.expire_due(NOON + DAY) for _ in range(2)] == [1, 0]
    assert list_entries() == [("granted", 1_000), ("burned", -300), ("expired", -700)]
    assert read_settled(grant.account_id, at=NOON + DAY) == 0


def test_a_grant_that_was_used_up_or_voided_has_nothing_that_could_expire():
    used, voided = give(5, expires_at=NOON + DAY), give(5, account_id=make_account("b").id, expires_at=NOON + DAY)
    burn(used.account_id, 5)
    grants.void_grant(voided.id, at=NOON)
    assert settling.expire_due(NOON + DAY) == 0


def test_credit_waits_for_the_invoice_of_the_period_that_it_outlived():
    subscription = make_subscription(started_at=MID_JAN)
    give(10_000, account_id=subscription.account_id, at=MID_JAN, expires_at=FEB)
    assert settling.expire_due(FEB + HOUR) == 0
    invoicing.close_period(subscription.period_id, at=FEB + HOUR)
    assert settling.expire_due(FEB + HOUR) == 1


def test_credit_does_not_wait_for_a_period_that_goes_on():
    subscription = make_subscription(started_at=MID_JAN)
    give(1_000, account_id=subscription.account_id, at=MID_JAN, expires_at=FEB - DAY)
    assert settling.expire_due(FEB - DAY) == 1


def make_series(amount=1_000, **terms):
    account_id = make_account().id
    terms.setdefault("interval", Interval.MONTH)
    return give(
        amount, account_id=account_id, at=datetime(2026, 1, 31, tzinfo=UTC), recurrence=RecurrenceTerms(**terms)
    )


def list_series():
    return [
        (f"{grant.effective_at:%m-%d}", f"{grant.expires_at:%m-%d}", grant.balance_minor)
        for grant in CreditGrant.objects.order_by("number")
    ]


def test_a_series_keeps_its_day_and_each_of_it_begins_once():
    make_series()
    assert [settling.recur_due(at=datetime(2026, 4, 1, tzinfo=UTC)) for _ in range(2)] == [2, 0]
    assert list_series() == [("01-31", "02-28", 1_000), ("02-28", "03-31", 1_000), ("03-31", "04-30", 1_000)]


def test_a_series_ends_before_the_day_that_it_recurs_until():
    make_series(until=datetime(2026, 3, 31, tzinfo=UTC))
    settling.recur_due(at=datetime(2027, 1, 1, tzinfo=UTC))
    assert [start for start, _, _ in list_series()] == ["01-31", "02-28"]


def test_a_void_grant_recurs_no_more():
    grant = make_series()
    grants.void_grant(grant.id, at=MAR)
    assert settling.recur_due(at=MAR) == 0


def test_only_the_accounts_that_are_named_recur():
    grant = make_series()
    assert settling.recur_due(at=MAR, account_ids=[grant.account_id + 1]) == 0
    assert settling.recur_due(at=MAR, account_ids=[grant.account_id]) == 1


def settle(at):
    settling.recur_due(at=at)
    settling.expire_due(at)


def test_what_is_left_of_a_series_expires():
    make_series()
    settle(MAR)
    assert list_series() == [("01-31", "02-28", 0), ("02-28", "03-31", 1_000)]
    assert list_entries() == [("granted", 1_000), ("granted", 1_000), ("expired", -1_000)]


def test_a_part_rolls_over_and_the_rest_expires():
    make_series(rollover_max_minor=300)
    settle(MAR)
    settle(MAR)
    first, second = CreditGrant.objects.order_by("number")
    assert list_entries(first.pk) == [("granted", 1_000), ("rolled_over", -300), ("expired", -700)]
    assert list_entries(second.pk) == [("granted", 1_000), ("rolled_over", 300)]


def test_the_least_rolls_over_though_nothing_is_left():
    grant = make_series(rollover_min_minor=50, rollover_max_minor=300)
    burn(grant.account_id, 980, at=FEB)
    settle(MAR)
    assert list_series() == [("01-31", "02-28", 0), ("02-28", "03-31", 1_050)]
    burn(grant.account_id, 1_050, at=MAR, key="bill 2")
    settle(datetime(2026, 4, 1, tzinfo=UTC))
    settle(datetime(2026, 4, 1, tzinfo=UTC))
    assert list_series()[-2:] == [("02-28", "03-31", 0), ("03-31", "04-30", 1_050)]


def test_months_that_were_missed_end_one_after_the_other():
    make_series(100, rollover_max_minor=150)
    settle(datetime(2026, 6, 1, tzinfo=UTC))
    assert [balance for _, _, balance in list_series()] == [0, 0, 0, 0, 250]
    assert sum(amount for kind, amount in list_entries() if kind == "expired") == -250


def test_what_comes_back_after_its_month_expires_and_does_not_roll_over_again():
    grant = make_series(rollover_max_minor=300)
    burn(grant.account_id, 600, at=FEB)
    settle(MAR)
    refund_burns(grant.account_id, key="bill 1", at=MAR)
    settle(MAR)
    assert list_series() == [("01-31", "02-28", 0), ("02-28", "03-31", 1_300)]
    assert list_entries(grant.id)[-2:] == [("refunded", 600), ("expired", -600)]


def test_credit_included_in_january_pays_for_january_and_then_expires():
    subscription = make_subscription(started_at=JAN)
    terms = RecurrenceTerms(Interval.MONTH)
    grant = give(10_000, account_id=subscription.account_id, at=JAN, recurrence=terms, source="included")
    settle(FEB + HOUR)
    paid = burn(grant.account_id, 400, moment=FEB - timedelta(microseconds=1), at=FEB + HOUR)
    assert paid == {grant.id: 400}
    invoicing.close_period(subscription.period_id, at=FEB + HOUR)
    settle(FEB + HOUR)
    assert list_entries(grant.id) == [
        ("granted", 10_000),
        ("burned", -400),
        ("burned", -4_900),
        ("expired", -4_700),
    ]


@time_machine.travel(NOON + DAY, tick=False)
def test_beats_task_lets_credit_recur_and_expire_and_asks_for_what_is_short():
    series = give(1_000, recurrence=RecurrenceTerms(Interval.DAY))
    set_rule(account_id=series.account_id, currency="EUR", threshold_minor=5_000, amount_minor=1)
    for _ in range(2):
        settle_credits()
    assert list_entries() == [("granted", 1_000), ("granted", 1_000), ("expired", -1_000)]
    assert Job.objects.count() == 1
    assert ("billing.tasks.settle_credits", 300) in settings.PERIODIC_TASKS.values()
