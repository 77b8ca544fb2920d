"""Scenario 10: Stripe finalises its invoice before our lines are on it. What is missing is asked apart, once."""

import pytest

from billing.models import StripeCreditNote, StripeInvoice
from billing.stripe.charging import asking, charge
from tests.billing.credits.makers import give
from tests.billing.makers import FEB, JAN
from tests.scenarios.worlds import GRACE, HOUR

pytestmark = pytest.mark.django_db


def finalise_meanwhile(patch, world, name):
    """Just before that call Stripe finalises the draft."""
    call = getattr(asking, name)

    def lose_the_race(stripe_id, *arguments, **terms):
        if world.stripe.invoices.retrieve(stripe_id).billing_reason == "subscription_cycle":
            world.stripe.invoices.finalize_invoice(stripe_id)
        return call(stripe_id, *arguments, **terms)

    patch.setattr(asking, name, lose_the_race)


def test_scenario_10_lines_that_came_too_late_are_on_an_invoice_of_their_own(world):
    world.sign_up()
    world.draw()
    invoice = world.issue()
    with pytest.MonkeyPatch.context() as patch:
        finalise_meanwhile(patch, world, "add_lines")
        charge.charge_invoice(invoice.pk, at=GRACE)
    for _ in range(2):
        charge.charge_invoice(invoice.pk, at=GRACE)
    rows = StripeInvoice.objects.order_by("pk").values_list("role", "step", "state", "total_minor")
    assert list(rows) == [("cycle", "finalised", "paid", 0), ("rest", "finalised", "open", 4900)]
    world.collect()
    invoice.refresh_from_db()
    assert (invoice.state, invoice.payments.get().amount_minor) == ("paid", 4900)
    assert world.stripe.invoice_items.list({"pending": True}).data == []


def test_scenario_10_an_invoice_that_nobody_held_is_completed_by_another(world):
    """Events were lost, and Stripe's hour is over before Palier issues."""
    world.sign_up()
    world.go_to(FEB)
    world.simulator.take_webhooks()
    world.go_to(FEB + 2 * HOUR)
    invoice = world.issue(FEB + 3 * HOUR)
    world.charge(FEB + 3 * HOUR)
    rows = StripeInvoice.objects.order_by("pk").values_list("role", "state", "total_minor")
    assert list(rows) == [("cycle", "paid", 0), ("rest", "open", 4900)]
    assert invoice.due_minor == 4900


def test_scenario_10_lost_after_we_compared_nothing_is_missing(world):
    world.sign_up()
    world.draw()
    invoice = world.issue()
    with pytest.MonkeyPatch.context() as patch:
        finalise_meanwhile(patch, world, "finalise")
        charge.charge_invoice(invoice.pk, at=GRACE)
    row = StripeInvoice.objects.get()
    assert (row.step, row.state, row.total_minor) == ("finalised", "open", 4900)


def test_scenario_10_what_an_invoice_asks_too_much_is_given_back(world):
    """Somebody at Stripe put a line on it and finalised it, while credit was to pay most of ours."""
    subscription = world.sign_up()
    give(4_000, account_id=subscription.account_id, at=JAN)
    world.draw()
    invoice = world.issue()
    drawn = StripeInvoice.objects.get().stripe_id
    world.stripe.invoices.add_lines(drawn, {"lines": [{"amount": 2000, "description": "By hand"}]})
    world.stripe.invoices.finalize_invoice(drawn)
    for _ in range(2):
        charge.charge_invoice(invoice.pk, at=GRACE)
    row = StripeInvoice.objects.get()
    note = StripeCreditNote.objects.get()
    assert (invoice.due_minor, row.total_minor, note.total_minor, note.is_correction) == (900, 2000, 1100, True)
    assert world.read(row).amount_remaining == 900
