"""What Stripe drew and nobody wants: it asks nobody for anything, and each call about it has an outcome."""

import pytest

from billing.models import StripeCall, StripeInvoice, StripeSubscription
from billing.stripe.charging.asking import HOLD
from billing.stripe.reconciling.calls import select_stuck
from tests.billing.makers import FEB, HOUR, JAN
from tests.scenarios.worlds import GRACE, world  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db
DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("fault", "heard_at"),
    [("rate_limit", GRACE + HOUR / 4), ("error", FEB + 2 * DAY)],
    ids=["still a draft", "final by then, and its key spent"],
)
def test_a_draft_that_was_about_to_be_held_and_is_not_wanted_any_more_leaves_no_call_without_an_outcome(
    world,  # noqa: F811
    fault,
    heard_at,
):
    world.sign_up()
    world.go_to(FEB)
    world.simulator.fault(fault, "/v1/invoices/*", method="POST")
    world.tell(FEB)
    assert StripeCall.objects.get(operation=HOLD).state == "unknown"
    StripeSubscription.objects.update(cycle_starts_at=JAN + HOUR)  # Stripe learnt of it late: a draft of ours asks
    world.issue()
    world.charge()
    assert StripeInvoice.objects.get().role == "own"
    world.go_to(heard_at)
    world.tell(heard_at)
    assert StripeCall.objects.get(operation=HOLD).state in ("done", "refused")
    assert not select_stuck(FEB + 30 * DAY).exists()
    drawn = world.stripe.invoices.list({"subscription": world.mirror.stripe_id}).data
    assert [each.total for each in drawn if each.status in ("draft", "open")] == []
