"""Prices: what may be one, what never changes, what an answer shows of one."""

from decimal import Decimal

import pytest
import stripe

from tests.stripe_simulator.makers import make_price, take_events, take_types

TIERS = [{"up_to": 100, "unit_amount": 10}, {"up_to": "inf", "unit_amount_decimal": "0.5", "flat_amount": 200}]


def refuse(client, **params):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        make_price(client, **params)
    return caught.value


def test_a_price_keeps_both_forms_of_its_amount(simulator):
    whole = make_price(simulator.client(), unit_amount=1250)
    exact = make_price(simulator.client(), unit_amount_decimal=Decimal("0.000000000001").__format__("f"))
    assert (whole.unit_amount, whole.unit_amount_decimal) == (1250, Decimal(1250))
    assert (exact.unit_amount, exact.unit_amount_decimal) == (None, Decimal("0.000000000001"))


def test_a_whole_decimal_is_an_integer_too(simulator):
    assert make_price(simulator.client(), unit_amount_decimal="7").unit_amount == 7


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"unit_amount": 5, "unit_amount_decimal": "5"}, "unit_amount"),
        ({"unit_amount": None}, "unit_amount"),
        ({"unit_amount": -1}, "unit_amount"),
        ({"unit_amount_decimal": "0.0000000000001"}, "unit_amount_decimal"),
        ({"currency": "EUR"}, "currency"),
        ({"recurring": {"interval": "month", "usage_type": "metered"}}, "recurring[meter]"),
        ({"recurring": {"interval": "month", "meter": "mtr_1"}}, "recurring[meter]"),
        ({"recurring": {"interval": "year", "interval_count": 4}}, "recurring[interval_count]"),
        ({"billing_scheme": "tiered", "tiers": TIERS}, "tiers"),
        ({"tiers": TIERS, "tiers_mode": "volume"}, "tiers"),
        ({"billing_scheme": "tiered", "tiers_mode": "volume", "tiers": TIERS[:1]}, "tiers[0][up_to]"),
        ({"billing_scheme": "tiered", "tiers_mode": "volume", "tiers": TIERS[::-1]}, "tiers[0][up_to]"),
        ({"billing_scheme": "tiered", "tiers_mode": "volume", "tiers": [TIERS[0], *TIERS]}, "tiers[1][up_to]"),
        ({"billing_scheme": "tiered", "tiers_mode": "volume", "tiers": [{"up_to": "inf"}]}, "tiers[0]"),
        (
            {
                "billing_scheme": "tiered",
                "tiers_mode": "volume",
                "tiers": TIERS,
                "transform_quantity": {"divide_by": 10, "round": "up"},
            },
            "transform_quantity",
        ),
    ],
)
def test_what_cannot_be_a_price_is_refused(simulator, params, param):
    error = refuse(simulator.client(), **params)
    assert (error.http_status, error.param) == (400, param)


def test_tiers_are_shown_when_they_are_asked_for(simulator):
    client = simulator.client()
    price = make_price(client, billing_scheme="tiered", tiers_mode="graduated", tiers=TIERS)
    assert "tiers" not in price.to_dict()
    shown = client.v1.prices.retrieve(price.id, {"expand": ["tiers"]}).tiers
    assert [(tier.up_to, tier.unit_amount, tier.flat_amount) for tier in shown] == [(100, 10, None), (None, None, 200)]
    assert shown[1].unit_amount_decimal == Decimal("0.5")


def test_a_price_is_told_of_and_so_is_its_product(simulator):
    make_price(simulator.client())
    assert take_types(simulator) == ["product.created", "price.created"]


def test_an_amount_cannot_be_changed(simulator):
    client = simulator.client()
    price = make_price(client)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.prices.update(price.id, {"unit_amount": 1})  # type: ignore[typeddict-unknown-key]
    assert caught.value.param == "unit_amount"


def test_an_update_tells_what_was_there_before(simulator):
    client = simulator.client()
    price = make_price(client, nickname="old")
    simulator.take_webhooks()
    client.v1.prices.update(price.id, {"nickname": "new", "active": False})
    (event,) = take_events(simulator)
    assert event["type"] == "price.updated"
    assert event["data"]["previous_attributes"] == {"nickname": "old", "active": True}


def test_a_lookup_key_names_one_price_and_can_be_handed_on(simulator):
    client = simulator.client()
    first = make_price(client, lookup_key="standard")
    assert refuse(client, lookup_key="standard").param == "lookup_key"
    second = make_price(client, lookup_key="standard", transfer_lookup_key=True)
    found = client.v1.prices.list({"lookup_keys": ["standard"]})
    assert [price.id for price in found.data] == [second.id]
    assert client.v1.prices.retrieve(first.id).lookup_key is None


def test_prices_are_listed_by_product_and_kind(simulator):
    client = simulator.client()
    monthly = make_price(client)
    once = make_price(client, product=monthly.product, recurring=None)
    make_price(client)
    listed = client.v1.prices.list({"product": monthly.product})
    assert {price.id for price in listed.data} == {monthly.id, once.id}
    assert [price.id for price in client.v1.prices.list({"type": "one_time"}).data] == [once.id]


def test_options_in_other_currencies_are_not_done(simulator):
    with pytest.raises(stripe.APIError) as caught:
        make_price(simulator.client(), currency_options={"usd": {"unit_amount": 5}})
    assert caught.value.http_status == 501
