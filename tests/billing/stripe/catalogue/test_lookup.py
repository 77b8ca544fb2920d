from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing.models import PlanVersion, StripeObject
from billing.plans import create_plan
from billing.rating import flat_fee, per_unit
from billing.stripe.catalogue.lookup import (
    NotInStripe,
    VersionPrices,
    find_meter_id,
    find_price_id,
    find_version_prices,
    name_event,
)
from metering.meters import create_meter

AT = datetime(2026, 11, 2, 9, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def tell(kind, key, stripe_id, **fields):
    synced_at = AT if stripe_id else None
    return StripeObject.objects.create(kind=kind, key=str(key), stripe_id=stripe_id, synced_at=synced_at, **fields)


@pytest.fixture
def version() -> PlanVersion:
    create_meter(key="calls", name="Calls", event_type="call", unit="call", at=AT)
    prices = [flat_fee("Base", Decimal(9)), per_unit("Calls", meter_key="calls", unit_amount=Decimal("0.01"))]
    create_plan(slug="gold", name="Gold", rank=1, currency="EUR", prices=prices, at=AT)
    return PlanVersion.objects.get()


def test_what_was_not_told_is_said_to_be_to_come():
    with pytest.raises(NotInStripe, match="meter 7 was not told to Stripe yet"):
        find_meter_id(7)
    tell("price", 7, "", problem="no such meter")
    with pytest.raises(NotInStripe, match="metered price 7 is not in Stripe: no such meter"):
        find_price_id(7)
    tell("meter", 7, "mtr_1")
    assert find_meter_id(7) == "mtr_1"


def test_the_prices_of_a_version_come_all_or_not_at_all(version: PlanVersion):
    fee, metered = version.prices.all()
    with pytest.raises(NotInStripe, match=f"version {version.pk} was not told to Stripe yet"):
        find_version_prices(version.pk)
    tell("fee", fee.pk, "price_fee")
    row = tell("price", metered.pk, "")
    with pytest.raises(NotInStripe, match="its job is still to come"):
        find_version_prices(version.pk)
    row.stripe_id, row.synced_at = "price_metered", AT
    row.save()

    assert find_version_prices(version.pk) == VersionPrices({metered.pk: "price_metered"}, {fee.pk: "price_fee"}, "")


def test_a_version_without_a_fee_has_a_carrier(version: PlanVersion):
    tell("carrier", version.pk, "price_carrier")

    assert find_version_prices(version.pk) == VersionPrices({}, {}, "price_carrier")


def test_events_of_a_meter_have_a_name_that_says_whose_they_are():
    assert name_event("api-calls") == "palier_api-calls"
