"""Nothing here blesses parameters that Stripe refuses: they are refused, for good, and nothing is done."""

import pytest

from billing.models import StripeCall
from billing.stripe.errors import Refused
from billing.stripe.gateway import perform
from tests.billing.stripe.test_gateway import AT

pytestmark = pytest.mark.django_db

TIERS = {"tiers_mode": "graduated", "billing_scheme": "tiered", "tiers": [{"up_to": "inf", "unit_amount": 1}]}
PRICE = {"currency": "eur", "product_data": {"name": "Gold"}}
PENDING = "pending_invoice_items_behavior"


def create_price(params):
    return perform("create_price", "1", params, lambda stripe, options: stripe.v1.prices.create(params, options), at=AT)


def create_invoice(params):
    def send(stripe, options):
        return stripe.v1.invoices.create(params, options)

    return perform("create_invoice", "1", params, send, at=AT)


@pytest.mark.parametrize(
    ("create", "params", "param"),
    [
        (create_price, PRICE | {"unit_amount": 1, "unit_amount_decimal": "1.5"}, "unit_amount"),
        (create_price, PRICE | TIERS | {"unit_amount": 1}, "unit_amount"),
        (create_price, PRICE | TIERS | {"transform_quantity": {"divide_by": 10, "round": "up"}}, "transform_quantity"),
        (create_price, PRICE | {"unit_amount": 1, "product": "prod_1"}, "product"),
        (create_price, PRICE | {"unit_amount": 1, "aggregate_usage": "sum"}, "aggregate_usage"),
        (create_invoice, {"subscription": "sub_1", PENDING: "exclude"}, PENDING),
        (create_invoice, {"auto_advance": "perhaps"}, "auto_advance"),
    ],
)
def test_scenario_19_what_excludes_each_other_is_refused_for_good_and_nothing_is_done(simulator, create, params, param):
    stripe = simulator.client().v1
    customer = {"customer": stripe.customers.create({}).id} if create is create_invoice else {}

    with pytest.raises(Refused) as refusal:
        create(params | customer)

    assert (refusal.value.status, refusal.value.param) == (400, param)
    call = StripeCall.objects.get()
    assert (call.state, call.attempts, call.error_param) == ("refused", 1, param)
    assert stripe.prices.list().data == stripe.products.list().data == stripe.invoices.list().data == []


def test_scenario_19_a_refused_call_is_put_right_under_a_new_key(simulator):
    with pytest.raises(Refused):
        create_price(PRICE | {"unit_amount": 1, "unit_amount_decimal": "1.5"})
    first = StripeCall.objects.get().idempotency_key

    answer = create_price(PRICE | {"unit_amount": 1})

    assert StripeCall.objects.get().former_keys == [first]
    assert [answer.stripe_id] == [price.id for price in simulator.client().v1.prices.list().data]
