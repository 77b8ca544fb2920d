"""Coupons and promotion codes."""

import pytest
import stripe

from tests.stripe_simulator.makers import take_types


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({}, "percent_off"),
        ({"percent_off": 10, "amount_off": 5, "currency": "eur"}, "percent_off"),
        ({"percent_off": 101}, "percent_off"),
        ({"amount_off": 500}, "currency"),
        ({"percent_off": 10, "duration": "repeating"}, "duration_in_months"),
        ({"percent_off": 10, "duration": "forever", "duration_in_months": 3}, "duration_in_months"),
    ],
)
def test_what_cannot_be_a_coupon_is_refused(simulator, params, param):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        simulator.client().v1.coupons.create(params)
    assert caught.value.param == param


def test_a_coupon_is_made_renamed_and_deleted(simulator):
    client = simulator.client()
    coupon = client.v1.coupons.create({"id": "SUMMER", "percent_off": 12.5, "duration": "once"})
    assert (coupon.percent_off, coupon.valid) == (12.5, True)
    assert client.v1.coupons.update("SUMMER", {"name": "Summer"}).name == "Summer"
    assert client.v1.coupons.delete("SUMMER").deleted
    assert take_types(simulator) == ["coupon.created", "coupon.updated", "coupon.deleted"]


def test_the_products_of_a_coupon_are_shown_when_asked_for(simulator):
    client = simulator.client()
    product = client.v1.products.create({"name": "Pro"})
    coupon = client.v1.coupons.create({"percent_off": 10, "applies_to": {"products": [product.id]}})
    assert "applies_to" not in coupon.to_dict()
    assert client.v1.coupons.retrieve(coupon.id, {"expand": ["applies_to"]}).applies_to.products == [product.id]


def test_two_active_codes_never_read_the_same(simulator):
    client = simulator.client()
    coupon = client.v1.coupons.create({"percent_off": 10})
    given = {"code": "FALL20", "promotion": {"type": "coupon", "coupon": coupon.id}}
    first = client.v1.promotion_codes.create(given)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.promotion_codes.create({**given, "code": "fall20"})
    client.v1.promotion_codes.update(first.id, {"active": False})
    assert client.v1.promotion_codes.create(given).active
    assert [code.id for code in client.v1.promotion_codes.list({"active": False}).data] == [first.id]
