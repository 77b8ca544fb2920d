"""What is left of credit, against what there was when the last of it came. January has 31 days."""

from datetime import UTC, datetime, timedelta

import pytest

from billing import invoicing
from billing.alerting.credit import Filled, find_filled
from billing.alerting.looking import look_at_moved
from billing.credits import grants, settling
from billing.models import CreditSource, Period
from tests.billing.alerting.makers import list_levels, list_told, make_customers, make_rule
from tests.billing.makers import FEB, HOUR, JAN, use

pytestmark = pytest.mark.django_db

JAN_11 = datetime(2026, 1, 11, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def account_id(db) -> int:
    [account_id] = make_customers("acme")
    return account_id


def give(account_id, euros, *, at=JAN_11, **terms):
    return grants.grant_credit(account_id=account_id, currency="EUR", amount_minor=euros * 100, at=at, **terms)


def spend(requests, *, at):
    """The fee of the period is owed when it is billed, so it is not taken off before."""
    use("acme", sizes=[1] * requests, time=at)
    look_at_moved(at)


def test_credit_is_told_as_it_runs_out(account_id):
    give(account_id, 100)
    for requests in (79, 1, 19):
        spend(requests, at=JAN_11 + HOUR)
    assert [(fact.level, fact.used, fact.quantity, fact.subject) for fact in list_told(account_id, "credit")] == [
        (20, 20, 100, "EUR")
    ]
    spend(1, at=JAN_11 + 2 * HOUR)
    spend(30, at=JAN_11 + 3 * HOUR)
    assert [(fact.level, fact.severity) for fact in list_told(account_id, "credit")] == [
        (20, "warning"),
        (0, "critical"),
    ]


def test_a_top_up_begins_anew_with_what_there_is_then(account_id):
    give(account_id, 100)
    spend(90, at=JAN_11 + HOUR)
    give(account_id, 300, at=JAN_11 + DAY)
    spend(229, at=JAN_11 + DAY + HOUR)
    assert list_levels(account_id, "credit") == [20]
    spend(1, at=JAN_11 + DAY + 2 * HOUR)
    assert [(fact.level, fact.used, fact.quantity, fact.start) for fact in list_told(account_id, "credit")] == [
        (20, 10, 100, JAN_11),
        (20, 80, 400, JAN_11 + DAY),
    ]


def test_credit_that_expires_is_gone_as_if_it_were_used(account_id):
    give(account_id, 100, expires_at=JAN_11 + DAY)
    look_at_moved(JAN_11)
    settling.expire_due(JAN_11 + DAY)
    look_at_moved(JAN_11 + DAY)
    [told] = list_told(account_id, "credit")
    assert (told.level, told.used, told.end) == (0, 0, FEB)


def test_what_an_invoice_took_is_taken_off(account_id):
    give(account_id, 100, at=JAN_11)
    spend(75, at=JAN_11)
    assert list_levels(account_id, "credit") == []
    invoicing.close_period(Period.objects.get(starts_at=JAN).pk, at=FEB + HOUR)
    look_at_moved(FEB + HOUR)
    assert [(fact.level, fact.used) for fact in list_told(account_id, "credit")] == [(20, 15)]


def test_an_amount_is_told_in_whole_units_of_its_currency(account_id):
    make_rule("credit", 30, direction="falling", currency="EUR")
    give(account_id, 100)
    spend(70, at=JAN_11 + HOUR)
    assert [(fact.level, fact.level_unit, fact.used, fact.quantity) for fact in list_told(account_id, "credit")] == [
        (30, "absolute", 30, None)
    ]


def test_credit_that_comes_tells_at_once_what_was_short_before(account_id):
    spend(90, at=JAN_11)
    give(account_id, 100, at=JAN_11 + HOUR)
    look_at_moved(JAN_11 + HOUR)
    assert [(fact.level, fact.used) for fact in list_told(account_id, "credit")] == [(20, 10)]


def test_what_an_invoice_gave_back_is_no_purchase(account_id):
    give(account_id, 5, source=CreditSource.CREDIT_NOTE)
    spend(50, at=JAN_11)
    assert (find_filled([account_id], at=JAN_11), list_levels(account_id, "credit")) == ([], [])


def test_a_wallet_that_was_empty_for_long_tells_nothing(account_id):
    grant = give(account_id, 5)
    grants.void_grant(grant.id, at=JAN_11)
    give(account_id, 5, at=JAN_11, expires_at=JAN_11 + HOUR)
    settling.expire_due(JAN_11 + HOUR)
    look_at_moved(JAN_11 + 35 * DAY + HOUR)
    assert list_levels(account_id, "credit") == []


def test_a_wallet_was_filled_with_the_last_grant_and_what_was_left_then(account_id):
    give(account_id, 10, at=JAN, expires_at=JAN_11 + DAY)
    give(account_id, 20, at=JAN_11)
    give(account_id, 40, at=JAN_11 + HOUR, effective_at=JAN_11 + 2 * DAY)
    last = JAN_11 + HOUR
    assert find_filled([account_id], at=JAN_11 + DAY - HOUR) == [
        Filled(account_id, "EUR", JAN_11, 30_00, JAN_11 + DAY, last)
    ]
    assert find_filled([account_id], at=JAN_11 + 2 * DAY) == [
        Filled(account_id, "EUR", JAN_11 + 2 * DAY, 60_00, None, last)
    ]
