from datetime import UTC, datetime

import pytest

from billing.models import StripeEvent, StripeEventOrigin, StripeEventState
from billing.stripe.inbox.envelopes import read_envelope
from billing.stripe.inbox.storing import HANDLE_EVENT, store_event
from jobs import queue
from tests.billing.stripe.inbox.bodies import write_event, write_thin_event

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("handled")]
AT = datetime(2026, 2, 2, 3, tzinfo=UTC)


def store(body):
    return store_event(read_envelope(body), origin=StripeEventOrigin.WEBHOOK, at=AT)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (write_event("evt_1", "test.done", livemode=True), "An event of live mode: the key in use is for test mode."),
        (write_event("evt_1", "test.done", account="acct_2"), "An event of another account at Stripe, acct_2."),
        (write_thin_event("evt_1", "test.done", context="acct_2"), "An event of another account at Stripe, acct_2."),
        (write_event("evt_1", "test.unknown"), "Nothing is to be done about events of this type."),
    ],
)
def test_what_is_not_for_us_is_kept_with_the_reason_and_not_handled(body, reason):
    assert store(body)
    event = StripeEvent.objects.get()
    assert (event.state, event.reason) == (StripeEventState.IGNORED, reason)
    assert queue.read_job(HANDLE_EVENT, event.job_key) is None


def test_an_event_that_names_our_own_account_is_ours(settings):
    settings.STRIPE_ACCOUNT = "acct_1"
    store(write_event("evt_1", "test.done", account="acct_1"))
    assert StripeEvent.objects.get().state == StripeEventState.RECEIVED


def test_a_live_key_hears_live_events_alone(settings):
    settings.STRIPE_SECRET_KEY = "rk_live_1"
    store(write_event("evt_1", "test.done", livemode=True))
    store(write_event("evt_2", "test.done"))
    states = dict(StripeEvent.objects.values_list("stripe_id", "state"))
    assert states == {"evt_1": StripeEventState.RECEIVED, "evt_2": StripeEventState.IGNORED}


def test_an_event_is_kept_once():
    assert store(write_event("evt_1", "test.done"))
    assert not store(write_event("evt_1", "test.done", pending_webhooks=0))
    assert StripeEvent.objects.count() == 1
