"""Scenario 9: `invoice.created` is told again, before, while and after we fill the draft; the lines are there once."""

import pytest

from billing.models import StripeEvent, StripeInvoice
from billing.stripe.charging import asking, charge
from billing.stripe.charging.hooks import hold_draft
from tests.billing.makers import FEB
from tests.scenarios.worlds import GRACE

pytestmark = pytest.mark.django_db


def test_scenario_09_a_draft_that_is_told_of_again_is_held_once(world):
    world.sign_up()
    world.draw()
    event = StripeEvent.objects.filter(type="invoice.created").latest("pk")
    invoice = world.issue()
    with pytest.MonkeyPatch.context() as patch:
        add_lines = asking.add_lines

        def tell_and_add(*arguments, **terms):
            hold_draft(event, GRACE)
            told = add_lines(*arguments, **terms)
            hold_draft(event, GRACE)
            return told

        patch.setattr(asking, "add_lines", tell_and_add)
        charge.charge_invoice(invoice.pk, at=GRACE)
    hold_draft(event, GRACE)
    charge.charge_invoice(invoice.pk, at=GRACE)
    row = StripeInvoice.objects.get()
    told = asking.read_invoice(row.stripe_id, at=GRACE)
    assert [line.key for line in told.lines if line.key] == [f"{invoice.pk}:1"]
    assert (row.step, row.state, told.total) == ("finalised", "open", 4900)


def test_scenario_09_a_draft_that_nobody_told_of_is_found(world):
    world.sign_up()
    world.go_to(FEB)
    world.simulator.take_webhooks()  # lost
    invoice = world.issue()
    world.charge()
    row = StripeInvoice.objects.get()
    assert (row.invoice, row.role, row.step, row.total_minor) == (invoice, "cycle", "finalised", 4900)


def test_scenario_09_the_invoice_that_a_subscription_begins_with_is_left_alone(world):
    world.sign_up()
    assert not StripeInvoice.objects.exists()
    assert {each.status for each in world.stripe.invoices.list().data} <= {"paid"}
