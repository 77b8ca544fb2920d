"""Scenario 12: our draft is deleted in the Dashboard. Its items, which outlive it, go too; another one is made."""

import pytest

from billing.models import StripeInvoice
from billing.stripe.charging import asking, charge
from tests.billing.test_items import add, bill
from tests.scenarios.worlds import GRACE

pytestmark = pytest.mark.django_db


def fill_and_die(world, account):
    add(account, "30.00")
    invoice = bill(account, at=GRACE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(charge, "finalise", stop_here)
        with pytest.raises(KeyboardInterrupt):
            charge.charge_invoice(invoice.pk, at=GRACE)
    return invoice


def stop_here(*arguments, **terms):
    raise KeyboardInterrupt


@pytest.mark.parametrize("is_told", [True, False])
def test_scenario_12_its_items_go_too_and_the_invoice_is_asked_once(world, is_told):
    invoice = fill_and_die(world, world.sign_up().account_id)
    first = StripeInvoice.objects.get()
    world.stripe.invoices.delete(first.stripe_id)
    assert len(world.stripe.invoice_items.list({"pending": True}).data) == 1  # as Stripe does
    if is_told:
        world.tell(GRACE)
    world.charge()
    world.charge()
    assert world.stripe.invoice_items.list({"pending": True}).data == []
    first.refresh_from_db()
    second = StripeInvoice.objects.latest("pk")
    assert (first.state, second.step, second.total_minor, second.invoice) == ("deleted", "finalised", 3000, invoice)
    told = asking.read_invoice(second.stripe_id, at=GRACE)
    assert [line.key for line in told.lines] == [f"{invoice.pk}:1"]
