"""Alerts told to the vendor's systems: what is posted, how it is signed, what the log keeps of the answer."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from standardwebhooks import Webhook

from metering.models import Alert, Delivery, WebhookEndpoint
from metering.notices.endpoints import MadeEndpoint, create_endpoint
from metering.notices.testing import fire_test
from tests.jobs.hearers import Hearer, hearing_requests
from tests.metering.notices.makers import NOON, do_jobs, make_alert, raise_alert

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hearer(settings) -> Iterator[Hearer]:
    settings.DEBUG = True
    with hearing_requests() as hearer:
        yield hearer


@pytest.fixture
def endpoint(hearer: Hearer) -> MadeEndpoint:
    return create_endpoint(name="ops", url=hearer.url, at=NOON)


def tell(alert: Alert, *, occasion: str = "raised") -> Delivery:
    raise_alert(alert, occasion=occasion)
    do_jobs("metering.tell")
    do_jobs("metering.deliver")
    return Delivery.objects.order_by("-pk")[0]


def test_an_alert_is_posted_signed_with_its_words_its_figures_and_both_times(endpoint, hearer):
    alert = make_alert(time_zone="Europe/Paris")
    delivery = tell(alert)
    [(_, headers, body)] = hearer.heard
    with time_machine.travel(NOON, tick=False):
        payload = Webhook(endpoint.secret).verify(body, headers)
    assert headers["webhook-id"] == f"msg_{delivery.token.hex}"
    assert (payload["type"], payload["timestamp"]) == ("alert.raised", "2026-11-10T12:00:00Z")
    data = payload["data"]
    assert (data["alert"], data["account"]) == (alert.pk, {"key": "acme", "name": "Acme"})
    assert (data["used"], data["limit"], data["level"]) == ("81.25", "100", {"value": "80", "unit": "percent"})
    assert (data["crossed_at"], data["detected_at"]) == ("2026-11-10T11:00:00Z", "2026-11-10T12:00:00Z")
    assert (data["words"]["percent"], data["words"]["resets_on"]) == ("81.25\xa0%", "1 December 2026, 01:00")
    assert (delivery.state, delivery.answer_status, delivery.answer_text) == ("sent", 200, "thanks")


def test_that_it_is_over_is_told_too_though_nobody_heard_that_it_began(endpoint, hearer):
    tell(make_alert(resolved_at=NOON, recovery="window_ended"), occasion="recovered")
    assert json.loads(hearer.heard[0][2])["type"] == "alert.recovered"


def test_an_endpoint_hears_of_what_it_is_told_of_alone(endpoint, hearer):
    WebhookEndpoint.objects.update(occasions=["recovered"])
    raise_alert(make_alert())
    do_jobs("metering.tell")
    assert Delivery.objects.count() == 0


def test_what_is_not_taken_is_tried_again_and_the_answer_kept(endpoint, hearer):
    hearer.answers = [(500, {}, b"out of coffee")]
    delivery = tell(make_alert())
    assert (delivery.state, delivery.error) == ("queued", "WebhookFailed: answered 500")
    assert (delivery.answer_status, delivery.answer_text) == (500, "out of coffee")

    assert do_jobs("metering.deliver", at=NOON + timedelta(hours=1)) == ["done"]

    delivery.refresh_from_db()
    assert (delivery.state, delivery.answer_status, delivery.error) == ("sent", 200, "")
    assert len({headers["webhook-id"] for _, headers, _ in hearer.heard}) == 1


def test_an_endpoint_that_says_it_is_gone_is_not_asked_again(endpoint, hearer):
    hearer.answers = [(410, {}, b"")]
    delivery = tell(make_alert())
    assert (delivery.state, delivery.error) == ("failed", "WebhookFailed: answered 410")
    assert do_jobs("metering.deliver", at=NOON + timedelta(days=1)) == []


def test_what_waits_for_an_endpoint_that_was_switched_off_fails(endpoint, hearer):
    raise_alert(make_alert())
    do_jobs("metering.tell")
    WebhookEndpoint.objects.update(is_enabled=False)
    do_jobs("metering.deliver")
    assert Delivery.objects.get().error == "NobodyListens: ops is switched off"
    assert hearer.heard == []


def test_an_address_that_has_become_unsafe_gets_nothing(endpoint, hearer, settings):
    settings.DEBUG = False
    delivery = tell(make_alert())
    assert (delivery.state, hearer.heard) == ("failed", [])


def test_a_test_is_fired_at_one_endpoint_and_says_what_it_is(endpoint, hearer):
    create_endpoint(name="other", url=hearer.url, at=NOON)
    fire_test(endpoint.id, at=NOON)
    do_jobs("metering.deliver")
    [(_, _, body)] = hearer.heard
    assert json.loads(body)["type"] == "alert.test"
    assert Alert.objects.count() == 0
