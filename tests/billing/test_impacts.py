"""What so many units more than usual cost, by the account's own prices. January has 31 days."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing.impacts import estimate_extra_cost
from billing.money import Money
from billing.plans import PeriodTerms
from billing.rating import PriceModel, PriceTerms, TierTerms, flat_fee, graduated, per_unit
from tests.billing.makers import make_plan, make_subscription, use

pytestmark = pytest.mark.django_db

JAN_11 = datetime(2026, 1, 11, tzinfo=UTC)
BASE = flat_fee("Base fee", Decimal(10))


def make_customer(*prices, **terms):
    plan = make_plan(prices=[BASE, *prices], limits=[], **terms)
    return make_subscription(plan=plan).account_id


def estimate(account_id, extra, *, meter_key="requests"):
    return estimate_extra_cost(account_id, meter_key, Decimal(extra), at=JAN_11)


def test_units_of_one_price_cost_that_price():
    account_id = make_customer(per_unit("Requests", meter_key="requests", unit_amount=Decimal("0.25")))
    use("acme", sizes=[1] * 20, time=JAN_11)
    assert (estimate(account_id, 8), estimate(account_id, 0)) == (Money(200, "EUR"), Money(0, "EUR"))


def test_included_units_are_not_paid_for_and_what_was_not_used_is_saved():
    price = per_unit("Requests", meter_key="requests", unit_amount=Decimal(1), included_units=Decimal(15))
    account_id = make_customer(price)
    use("acme", sizes=[1] * 20, time=JAN_11)
    assert [estimate(account_id, extra) for extra in (3, 20, 100, -5)] == [
        Money(minor, "EUR") for minor in (300, 500, 500, -500)
    ]


def test_tiers_are_walked_down_from_what_was_used():
    tiers = (TierTerms(Decimal(10), Decimal(2)), TierTerms(None, Decimal(1)))
    account_id = make_customer(graduated("Requests", meter_key="requests", tiers=tiers))
    use("acme", sizes=[1] * 12, time=JAN_11)
    assert [estimate(account_id, extra) for extra in (2, 3, 12)] == [Money(minor, "EUR") for minor in (200, 400, 2200)]


def test_a_volume_price_that_falls_may_make_more_use_cheaper():
    tiers = (TierTerms(Decimal(10), Decimal(2)), TierTerms(None, Decimal(1)))
    account_id = make_customer(PriceTerms("Requests", PriceModel.VOLUME, "requests", tiers=tiers))
    use("acme", sizes=[1] * 12, time=JAN_11)
    assert estimate(account_id, 2) == Money(1200 - 2000, "EUR")


def test_it_is_rounded_once_and_other_meters_are_left_alone():
    account_id = make_customer(
        per_unit("Requests", meter_key="requests", unit_amount=Decimal("0.004")),
        per_unit("Bandwidth", meter_key="bandwidth", unit_amount=Decimal(1)),
    )
    use("acme", sizes=[5] * 3, time=JAN_11)
    assert (estimate(account_id, 1), estimate(account_id, 2)) == (Money(0, "EUR"), Money(1, "EUR"))


def test_what_nobody_is_billed_for_costs_nothing_that_could_be_said():
    account_id = make_customer(per_unit("Requests", meter_key="requests", unit_amount=Decimal(1)))
    assert (estimate(account_id, 1, meter_key="bandwidth"), estimate(account_id + 1, 1)) == (None, None)


def test_a_trial_costs_nothing_that_could_be_said():
    price = per_unit("Requests", meter_key="requests", unit_amount=Decimal(1))
    assert estimate(make_customer(price, periods=PeriodTerms(trial_days=14)), 1) is None
