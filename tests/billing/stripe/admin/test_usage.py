"""Meter events in the back-office: what failed is sent again after a question, once."""

import pytest
import time_machine
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.urls import reverse

from billing.models import StripeMeterEvent
from tests.billing.makers import FEB
from tests.billing.stripe.reconciling.makers import make_charged, tell_usage
from tests.billing.test_admin import make_person, show

pytestmark = pytest.mark.django_db
LIST = reverse("admin:billing_stripemeterevent_changelist")


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(FEB, tick=False):
        yield


@pytest.fixture
def failed():
    charged = make_charged(requests=5)
    tell_usage(charged, 3)
    tell_usage(charged, 2, state="failed", error_code="archived_meter", accepted_at=None)
    return StripeMeterEvent.objects.get(state="failed")


def act(client, *fields):
    ids = list(StripeMeterEvent.objects.values_list("pk", flat=True))
    data = {"action": "send_again", ACTION_CHECKBOX_NAME: ids} | dict(fields)
    return client.post(LIST, data, follow=True).content.decode()


def test_what_failed_is_sent_again_once_and_what_was_accepted_is_not(client, failed):
    client.force_login(make_person("a@vendor.example", permissions=["view_stripemeterevent", "repair_drift"]))
    assert "archived_meter" in show(client, "stripemeterevent")
    assert "2 requests (archived_meter)" in act(client)
    for _ in range(2):
        act(client, ("confirmed", "yes"))
    replaced = StripeMeterEvent.objects.get(replaces=failed)
    assert (replaced.value, replaced.state, replaced.revision) == (2, "queued", 2)
    assert StripeMeterEvent.objects.count() == 3


def test_who_may_only_look_sends_nothing(client, failed):
    client.force_login(make_person("b@vendor.example", permissions=["view_stripemeterevent"]))
    act(client, ("confirmed", "yes"))
    assert StripeMeterEvent.objects.count() == 2
