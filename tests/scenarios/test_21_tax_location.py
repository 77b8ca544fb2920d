"""Scenario 21: Stripe cannot finalise since it does not know where the customer is. It stays a draft, is shown, and is
asked again once that was put right.
"""

import pytest

from billing.models import StripeInvoice
from billing.stripe.charging import scans
from billing.stripe.charging.standing import read_charging
from tests.scenarios.worlds import GRACE, HOUR

pytestmark = pytest.mark.django_db


def test_scenario_21_it_stays_a_draft_until_somebody_tries_again(world):
    world.sign_up()
    world.draw()
    invoice = world.issue()
    drawn = StripeInvoice.objects.get().stripe_id
    world.stripe.invoices.update(drawn, {"automatic_tax": {"enabled": True}})
    world.charge()
    row = StripeInvoice.objects.get()
    assert (row.state, row.step, row.error_code) == ("draft", "stopped", "customer_tax_location_invalid")
    assert "location" in read_charging(invoice.pk)[0].detail
    world.tell(GRACE)
    world.charge()
    assert world.read(row).status == "draft"

    world.stripe.customers.update(world.customer, {"address": {"country": "DE", "line1": "Hauptstr. 1"}})
    assert scans.try_again(row.pk, at=GRACE + HOUR)
    world.charge(GRACE + HOUR)
    row.refresh_from_db()
    assert (row.state, row.step, row.error_code, row.total_minor) == ("open", "finalised", "", 4900)
