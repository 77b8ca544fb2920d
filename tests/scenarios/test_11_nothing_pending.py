"""Scenario 11: whatever we add names its invoice: nothing of ours is pending, for a later invoice to sweep up."""

import pytest

from billing.models import StripeInvoice
from tests.billing.makers import MAR
from tests.billing.test_items import add, bill
from tests.scenarios.worlds import GRACE

pytestmark = pytest.mark.django_db


def test_scenario_11_nothing_of_ours_waits_for_another_invoice(world):
    account = world.sign_up().account_id
    world.draw()
    world.issue()
    world.charge()
    add(account, "30.00", key="overage")
    bill(account, at=GRACE)
    world.charge()
    assert world.stripe.invoice_items.list({"pending": True}).data == []
    assert sorted(StripeInvoice.objects.values_list("role", "total_minor")) == [("cycle", 4900), ("own", 3000)]
    world.go_to(MAR)
    newest = world.stripe.invoices.list({"limit": 1}).data[0]
    assert (newest.billing_reason, newest.total) == ("subscription_cycle", 0)  # February's has nothing of January's


def test_scenario_11_what_somebody_left_pending_at_stripe_is_not_swept_up(world):
    account = world.sign_up().account_id
    item = {"customer": world.customer, "amount": 777, "currency": "eur", "description": "Left behind"}
    world.stripe.invoice_items.create(item)
    add(account, "30.00")
    bill(account, at=GRACE)
    world.charge()
    assert StripeInvoice.objects.get().total_minor == 3000
