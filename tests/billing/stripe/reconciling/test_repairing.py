"""Each drift that a person may have repaired: what it was is gone, and whoever repairs it twice doubles nothing."""

from datetime import timedelta
from decimal import Decimal

import pytest

from billing.models import Invoice, Period, StripeCustomer, StripeDrift, StripeInvoice, StripeMeterEvent, StripeObject
from billing.rating import per_unit
from billing.stripe.catalogue.checking import check_catalogue
from billing.stripe.charging import scans
from billing.stripe.customers import MIRROR_CUSTOMER
from billing.stripe.reconciling.repairs import REPAIRS
from billing.stripe.reconciling.running import reconcile
from billing.stripe.usage.collecting import collect_usage
from billing.stripe.usage.flushing import flush_period
from billing.stripe.usage.hooks import ReportedError, fail_reported
from tests.billing.makers import FEB, JAN, MID_JAN, use
from tests.billing.stripe.makers import list_subscriptions, pass_time
from tests.scenarios.worlds import GRACE, HOUR
from tests.scenarios.worlds import world as make_world

pytestmark = pytest.mark.django_db
world = make_world

AT = GRACE + 4 * HOUR
SOON = JAN + 4 * HOUR
CALLS = per_unit("Calls", meter_key="requests", unit_amount=Decimal("0.5"))


def look(at=AT):
    return {drift.kind: drift for drift in reconcile(at, since=JAN).open}


def repair_twice(drift, at=AT):
    for _ in range(2):
        REPAIRS[drift.kind].do(drift, at)


def read_amounts(world):
    """What each line of Stripe's invoices asks, but for those of nothing."""
    lines = world.stripe.invoices.line_items.list(StripeInvoice.objects.get().stripe_id).data
    return [line.amount for line in lines if line.amount]


def bill(world, **terms):
    """January is over and billed; nothing is asked of Stripe."""
    world.sign_up(**terms)
    world.draw()
    return world.issue()


def test_what_was_never_asked_is_asked_once(world):
    bill(world)
    world.go_to(AT)
    found = look()
    assert set(found) == {"invoice_missing"}
    repair_twice(found["invoice_missing"])
    world.work(AT, scans.CHARGE)
    assert look() == {}
    assert (StripeInvoice.objects.get().step, read_amounts(world)) == ("finalised", [4900])


def test_a_draft_that_stopped_is_compared_again_once_it_is_put_right_there(world):
    bill(world)
    stripe_id = StripeInvoice.objects.get().stripe_id
    strange = {"amount": 100, "description": "By hand"}
    filled = world.stripe.invoices.add_lines(stripe_id, {"lines": [strange]})
    world.charge()
    drift = StripeDrift.objects.get()
    assert (drift.kind, drift.difference_minor) == ("invoice_total", -100)
    [line] = [each for each in filled.lines.data if each.amount == 100]
    world.stripe.invoices.remove_lines(stripe_id, {"lines": [{"id": line.id, "behavior": "delete"}]})
    repair_twice(drift)
    world.charge(AT)
    assert look() == {}
    assert (StripeInvoice.objects.get().step, read_amounts(world)) == ("finalised", [4900])


def test_what_was_paid_there_and_not_heard_is_read_and_is_paid_once(world):
    bill(world)
    world.charge()
    world.go_to(AT)
    found = look()
    assert set(found) == {"invoice_stale"}
    drift = found["invoice_stale"]
    assert (drift.ours, drift.theirs) == ("open, 49.00 EUR, 0.00 EUR paid", "paid, 49.00 EUR, 49.00 EUR paid")
    assert drift.difference_minor == -4900
    repair_twice(drift)
    assert look() == {}
    invoice = Invoice.objects.get()
    assert (invoice.state, [payment.amount_minor for payment in invoice.payments.all()]) == ("paid", [4900])


def test_usage_that_stripe_refused_afterwards_is_sent_again_once(world):
    use_archived_meter(world)
    found = look(GRACE + 2 * timedelta(minutes=10))
    repair_twice(found["usage_failed"], GRACE + HOUR)
    states = list(StripeMeterEvent.objects.order_by("pk").values_list("state", flat=True))
    assert states == ["failed", "accepted"]
    world.go_to(AT)
    world.work(AT, scans.CHARGE)
    assert look() == {}
    assert read_amounts(world) == [200]


def use_archived_meter(world):
    """Four calls that Stripe took and then did not count, since somebody had put the meter away for a while."""
    world.sign_up(prices=[CALLS])
    [meter] = [each for each in world.stripe.billing.meters.list().data if each.event_name == "palier_requests"]
    world.simulator.settings(meter_validation="deferred")
    world.stripe.billing.meters.deactivate(meter.id)
    use("acme", sizes=[10] * 4, time=MID_JAN)
    world.draw()
    world.issue()
    world.charge()
    world.stripe.billing.meters.reactivate(meter.id)
    world.simulator.settings(meter_validation="immediate")
    error = ReportedError("archived_meter", 1, {})
    fail_reported([error], "palier_requests", GRACE - HOUR, GRACE + HOUR, "evt_report", GRACE)


def test_usage_that_was_not_told_is_told_once(world):
    world.sign_up(prices=[CALLS])
    period = Period.objects.get()
    use("acme", sizes=[10] * 4, time=MID_JAN)
    noon = MID_JAN + 2 * HOUR
    world.go_to(noon)
    collect_usage(noon)
    flush_period(period.pk, noon)
    use("acme", sizes=[10] * 3, time=noon)
    world.draw()
    world.issue()
    world.go_to(AT)
    found = look()
    assert set(found) == {"usage_unsent", "invoice_missing"}
    assert (found["usage_unsent"].ours, found["usage_unsent"].theirs) == ("7 request", "4 request")
    repair_twice(found["usage_unsent"])
    assert set(look()) == {"invoice_missing"}  # Stripe's meter counts seven, too
    assert sum(StripeMeterEvent.objects.values_list("value", flat=True)) == 7


def test_a_subscription_that_was_changed_there_is_told_again(world):
    world.sign_up()
    world.stripe.subscriptions.update(world.mirror.stripe_id, {"cancel_at_period_end": True})
    world.go_to(SOON)
    found = look(SOON)
    assert (set(found), found["subscription"].ours) == ({"subscription"}, "ends never")
    repair_twice(found["subscription"], SOON)
    assert look(SOON) == {}
    assert [each.cancel_at for each in list_subscriptions(world.simulator)] == [None]


def test_a_subscription_that_was_ended_there_is_made_anew_with_the_next_period(world):
    world.sign_up()
    world.stripe.subscriptions.cancel(world.mirror.stripe_id)
    world.go_to(SOON)
    found = look(SOON)
    assert set(found) == {"subscription"}
    repair_twice(found["subscription"], SOON)
    assert look(SOON) == {}
    pass_time(world.simulator, SOON)
    assert [each.status for each in list_subscriptions(world.simulator)] == ["canceled"]
    pass_time(world.simulator, FEB + HOUR)
    assert [each.status for each in list_subscriptions(world.simulator)] == ["canceled", "active"]


def test_a_customer_who_was_deleted_there_is_found_and_connected_anew_once(world):
    world.sign_up()
    former = world.customer
    world.stripe.customers.delete(former)
    world.go_to(SOON)
    found = look(SOON)
    assert set(found) == {"customer", "subscription"}
    assert found["customer"].theirs == f"{former} is gone"
    repair_twice(found["customer"], SOON)
    world.work(SOON, MIRROR_CUSTOMER)
    assert look(SOON) == {}
    customer = StripeCustomer.objects.get()
    assert (customer.problem, customer.former_ids) == ("", [former])
    assert [each.id for each in world.stripe.customers.list().data] == [customer.stripe_id]


def test_what_was_renamed_there_is_told_again(world):
    world.sign_up()
    product = StripeObject.objects.filter(kind="product").first()
    before = world.stripe.products.retrieve(product.stripe_id).name
    world.stripe.products.update(product.stripe_id, {"name": "Renamed"})
    check_catalogue(SOON)
    drift = StripeDrift.objects.get()
    assert drift.kind == "catalogue"
    repair_twice(drift, SOON)
    world.work(SOON)
    drift.refresh_from_db()
    assert drift.state == "repaired"
    assert {each.name for each in world.stripe.products.list().data} == {before}
