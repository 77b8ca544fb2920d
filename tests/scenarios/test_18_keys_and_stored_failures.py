"""A key that went out with other parameters stays here, and a failure that Stripe keeps is not waited for in vain."""

from datetime import timedelta

import pytest

from billing.models import StripeCall
from billing.stripe.calls import KeyReused
from billing.stripe.errors import TryLater
from tests.billing.stripe.test_gateway import AT, PRODUCTS, count_products, create, find_product
from tests.billing.stripe.test_gateway import _one_try as _one_try
from tests.billing.stripe.test_gateway import stripe as stripe

pytestmark = pytest.mark.django_db


def test_scenario_18_other_parameters_under_a_key_that_was_sent_do_not_go_out(simulator, stripe):
    simulator.fault("drop_after", PRODUCTS, method="POST")
    with pytest.raises(TryLater):
        create()

    with pytest.raises(KeyReused, match="create_product 1 was sent with other parameters"):
        create("Silver", at=AT + timedelta(hours=1))
    create(at=AT + timedelta(hours=1))
    with pytest.raises(KeyReused):
        create("Silver", at=AT + timedelta(hours=2))

    assert [product.name for product in stripe.products.list().data] == ["Gold"]


def test_scenario_18_stripe_refuses_a_key_with_other_parameters_itself(simulator, stripe):
    """What would happen if they went out: another way that we must not take."""
    options = {"idempotency_key": "one"}
    stripe.products.create({"name": "Gold"}, options)

    with pytest.raises(Exception, match="can only be used with the same parameters") as refusal:
        stripe.products.create({"name": "Silver"}, options)
    assert type(refusal.value).__name__ == "IdempotencyError"


def test_scenario_18_a_stored_failure_of_what_was_not_done_gets_a_new_key_after_a_look(simulator, stripe):
    simulator.fault("error", PRODUCTS, method="POST")

    spent = fail_twice()
    answer = create(at=AT + timedelta(minutes=2), find=find_product)

    call = StripeCall.objects.get()
    assert (call.state, call.former_keys, call.attempts) == ("done", [spent.idempotency_key], 4)
    assert [answer.stripe_id] == [product.id for product in stripe.products.list().data]


def test_scenario_18_a_stored_failure_of_what_was_done_is_taken_over_and_not_done_again(simulator, stripe):
    simulator.fault("error_after", PRODUCTS, method="POST")

    spent = fail_twice()
    answer = create(at=AT + timedelta(minutes=2), find=find_product)

    call = StripeCall.objects.get()
    assert (call.state, call.former_keys, call.idempotency_key) == ("done", [], spent.idempotency_key)
    assert [answer.stripe_id] == [product.id for product in stripe.products.list().data]


def test_scenario_18_control_a_new_key_without_a_look_does_it_twice(simulator, stripe):
    simulator.fault("error_after", PRODUCTS, method="POST")

    fail_twice()
    create(at=AT + timedelta(minutes=2), find=lambda stripe: None)

    assert count_products(stripe) == 2


def fail_twice():
    """The first failure may pass; that it comes back as it was says that the key is spent."""
    with pytest.raises(TryLater, match="500"):
        create(find=find_product)
    assert not StripeCall.objects.get().is_key_spent
    with pytest.raises(TryLater, match="500"):
        create(at=AT + timedelta(minutes=1), find=find_product)
    call = StripeCall.objects.get()
    assert (call.state, call.is_key_spent) == ("unknown", True)
    return call
