import pytest
from django.urls import reverse

from billing.models import StripeEvent, StripeEventOrigin, StripeEventState
from billing.stripe.inbox.storing import HANDLE_EVENT
from jobs import queue
from tests.billing.stripe.inbox.bodies import sign, write_event
from tests.billing.stripe.inbox.conftest import OLD_SECRET, SECRET

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("handled")]
URL = "/stripe/webhook/"


def post(client, body, secret=SECRET, **headers):
    headers = {"Stripe-Signature": sign(body, secret)} | headers
    return client.post(URL, body, content_type="application/json", headers=headers)


def test_its_address_is_as_documented():
    assert reverse("stripe:webhook") == URL


def test_an_event_is_kept_as_it_came_and_its_handling_promised(client):
    body = write_event("evt_1", "test.done", about="in_5")
    assert (post(client, body).status_code, post(client, body, OLD_SECRET).status_code) == (200, 200)
    event = StripeEvent.objects.get()
    assert (event.stripe_id, event.payload, event.object_id) == ("evt_1", body, "in_5")
    assert (event.state, event.origin) == (StripeEventState.RECEIVED, StripeEventOrigin.WEBHOOK)
    assert queue.read_job(HANDLE_EVENT, "evt_1 0").payload == {"event": event.pk}


def test_nobody_needs_a_session_or_a_token(client, django_assert_num_queries):
    client.handler.enforce_csrf_checks = True
    with django_assert_num_queries(4):  # a savepoint and its release, the event, the job
        response = post(client, write_event("evt_1", "test.done"))
    assert (response.status_code, response.cookies) == (200, {})


@pytest.mark.parametrize("make", [lambda body: "", lambda body: "t=1,v1=00", lambda body: sign(body, "whsec_other")])
def test_what_is_not_signed_is_refused_without_detail_and_not_kept(client, make):
    body = write_event()
    response = post(client, body, **{"Stripe-Signature": make(body)})
    assert (response.status_code, response.content) == (400, b"")
    assert not StripeEvent.objects.exists()


def test_a_body_beyond_the_limit_is_not_read(client, settings):
    body = write_event("evt_1", "test.done")
    settings.STRIPE_WEBHOOK_BODY_MAX_BYTES = len(body) - 1
    assert post(client, body).status_code == 413
    settings.STRIPE_WEBHOOK_BODY_MAX_BYTES = len(body)
    assert post(client, body).status_code == 200


def test_only_post_is_answered(client):
    assert client.get(URL).status_code == 405


@pytest.mark.parametrize("off", ["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS"])
def test_without_stripe_there_is_no_such_address(client, settings, off):
    setattr(settings, off, "" if off == "STRIPE_SECRET_KEY" else [])
    assert post(client, write_event()).status_code == 404
