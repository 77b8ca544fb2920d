"""Who may tell us: Stripe, by the present secret or the one before, about now, in our mode."""

import pytest

from billing.models import StripeEvent, StripeEventState
from tests.billing.stripe.inbox.bodies import write_event
from tests.scenarios.webhooks import KIND, OLD_SECRET, SECRET, tell

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("handled")]


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
def test_scenario_26_both_secrets_are_believed_while_one_is_rolled(secret):
    assert tell(secret=secret) == 200
    assert StripeEvent.objects.count() == 1


@pytest.mark.parametrize(
    ("secret", "seconds"), [("whsec_other", 0), (SECRET, -301), (SECRET, 305), (SECRET, 86_400 * 365)]
)
def test_scenario_26_a_wrong_an_old_and_a_future_signature_are_refused(secret, seconds):
    assert tell(secret=secret, seconds=seconds) == 400
    assert StripeEvent.objects.count() == 0


def test_scenario_26_a_live_event_is_kept_and_ignored_where_the_key_is_for_tests():
    assert tell(write_event("evt_1", KIND, livemode=True)) == 200
    event = StripeEvent.objects.get()
    assert event.state == StripeEventState.IGNORED
    assert event.reason == "An event of live mode: the key in use is for test mode."
