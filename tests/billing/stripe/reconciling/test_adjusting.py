"""A draft that stopped since Stripe's meters counted more than was sent, and somebody who has it adjusted."""

from datetime import timedelta

import pytest

from billing.models import DriftAct, Invoice, StripeCustomer, StripeDrift, StripeInvoice
from billing.stripe.reconciling.repairs import promise_repair
from tests.billing.makers import BANDWIDTH, make_plan, use
from tests.billing.stripe.makers import DEC, NOV_10, make_mirrored
from tests.crm.makers import make_user
from tests.scenarios.beat import live_at

pytestmark = pytest.mark.django_db(transaction=True)
HOUR, GIGABYTE = timedelta(hours=1), 10**9


@pytest.fixture
def stopped(simulator):
    """4.50 EUR are due; somebody else told Stripe's meter of 0.90 more, so that its draft asks 5.40."""
    make_mirrored(simulator, plan=make_plan(prices=[BANDWIDTH], limits=()))
    live_at(simulator, NOV_10 + HOUR)
    use("acme", sizes=[50 * GIGABYTE], time=NOV_10 + 2 * HOUR)
    live_at(simulator, NOV_10 + 4 * HOUR)
    payload = {"stripe_customer_id": StripeCustomer.objects.get().stripe_id, "value": str(10 * GIGABYTE)}
    simulator.client().v1.billing.meter_events.create({"event_name": "palier_bandwidth", "payload": payload})
    live_at(simulator, DEC + 3 * HOUR, DEC + 4 * HOUR, DEC + 6 * HOUR)
    return StripeInvoice.objects.get(invoice=Invoice.objects.get())


def test_one_more_line_makes_it_ask_what_is_due_and_the_drift_is_gone(simulator, stopped):
    assert (stopped.step, stopped.error_code) == ("stopped", "metered_line")
    drift = StripeDrift.objects.get(kind="metered_line")
    assert drift.difference_minor == -90
    ann = make_user("ann")
    for _ in range(2):
        promise_repair(drift.pk, by=ann.pk, at=DEC + 6 * HOUR, act=DriftAct.ADJUSTED)
    live_at(simulator, DEC + 7 * HOUR)
    stopped.refresh_from_db()
    assert (stopped.step, stopped.total_minor, Invoice.objects.get().due_minor) == ("finalised", 450, 450)
    lines = simulator.client().v1.invoices.line_items.list(stopped.stripe_id).data
    assert sorted(line.amount for line in lines if line.amount) == [-90, 540]
    drift.refresh_from_db()
    assert drift.state == "repaired"
    assert list(drift.moves.values_list("act", "by__email")) == [
        ("opened", None),
        ("adjusted", "ann@example.com"),
        ("repaired", None),
    ]
