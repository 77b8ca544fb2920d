"""Events and calls in the back-office: read without secrets, handled anew by hand."""

import pytest
import time_machine
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.urls import reverse

from billing.models import StripeCall, StripeEvent, StripeEventOrigin, StripeEventState
from billing.stripe.inbox.envelopes import read_envelope
from billing.stripe.inbox.storing import HANDLE_EVENT, store_event
from jobs import queue
from tests.billing.makers import FEB
from tests.billing.stripe.inbox.bodies import write_event
from tests.billing.test_admin import make_person, show

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(settings):
    settings.STRIPE_SECRET_KEY = "sk_test_1"
    with time_machine.travel(FEB, tick=False):
        yield


@pytest.fixture
def finance(client):
    permissions = ["view_stripeevent", "view_stripecall", "repair_drift"]
    client.force_login(make_person("finance@vendor.example", permissions=permissions))
    return client


@pytest.fixture
def event():
    data = {"object": {"id": "pi_1", "object": "payment_intent", "client_secret": "pi_1_secret_x", "share": 0.5}}
    body = write_event("evt_1", "test.unknown", data=data)
    store_event(read_envelope(body), origin=StripeEventOrigin.WEBHOOK, at=FEB)
    return StripeEvent.objects.get()


def test_a_page_says_why_it_was_ignored_and_shows_its_body_without_secrets(finance, event):
    page = show(finance, "stripeevent", event.pk)
    assert "Nothing is to be done about events of this type." in page
    assert "payment_intent" in page
    assert "pi_1_secret_x" not in page
    assert "test.unknown" in show(finance, "stripeevent")


def test_it_is_handled_anew_after_a_question(finance, event):
    data = {"action": "replay", ACTION_CHECKBOX_NAME: [event.pk]}
    address = reverse("admin:billing_stripeevent_changelist")
    assert "by what Stripe says now" in finance.post(address, data, follow=True).content.decode()
    for _ in range(2):
        finance.post(address, data | {"confirmed": "yes"}, follow=True)
    event.refresh_from_db()
    assert (event.state, event.replays) == (StripeEventState.RECEIVED, 1)
    assert queue.read_job(HANDLE_EVENT, "evt_1 1").state == "queued"


def test_a_call_shows_its_request_and_what_came_back(finance):
    call = StripeCall.objects.create(
        operation="invoice.finalize",
        key="in_1",
        idempotency_key="k1",
        params={"auto_advance": True},
        fingerprint="f",
        state="refused",
        created_at=FEB,
        first_sent_at=FEB,
        answered_at=FEB,
        request_id="req_7",
        error_code="customer_tax_location_invalid",
        error_message="No address.",
    )
    page = show(finance, "stripecall", call.pk)
    for text in ["req_7", "customer_tax_location_invalid", "No address.", "auto_advance"]:
        assert text in page
