import re

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from metering.models import Delivery, WebhookEndpoint
from metering.notices.endpoints import create_endpoint
from tests.metering.notices.makers import NOON, OLIVIA, do_jobs, hearing, make_alert, raise_alert

pytestmark = pytest.mark.django_db
ENDPOINTS, DELIVERIES = "admin:metering_webhookendpoint_changelist", "admin:metering_delivery_changelist"


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser(email="ops@palier.test", password="correct horse"))
    return client


def make_delivery(**fields: object) -> Delivery:
    raise_alert(make_alert(**fields))
    with hearing(OLIVIA):
        do_jobs("metering.tell")
    return Delivery.objects.order_by("-pk")[0]


def run(client: Client, name: str, action: str, *rows: object, **values: str):
    data = {"action": action, "_selected_action": [row.pk for row in rows], **values}
    return client.post(reverse(name), data, follow=True)


def read(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_of_a_message_shows_it_as_it_was_sent(staff):
    delivery = make_delivery()
    page = read(staff, reverse("admin:metering_delivery_change", args=[delivery.pk]))
    assert "81.25\xa0%" in page
    assert f"&lt;{delivery.token}@palier&gt;" in page
    assert "olivia@example.com" in read(staff, reverse(DELIVERIES))


def test_the_page_of_an_alert_shows_who_was_told_of_it(staff):
    delivery = make_delivery()
    page = read(staff, reverse("admin:metering_alert_change", args=[delivery.first_notice.alert_id]))
    assert "olivia@example.com (queued)" in page
    assert "Requests: 80\xa0% of the limit reached" in page


def test_an_alert_about_money_has_a_page_too(staff):
    alert = make_alert(kind="budget", meter=None, subject="EUR", details={"currency": "EUR"})
    assert "Your budget: 80\xa0% reached" in read(staff, reverse("admin:metering_alert_change", args=[alert.pk]))


def test_the_log_costs_no_query_per_message(staff, django_assert_max_num_queries):
    for number in range(5):
        make_delivery(subject=str(number))
    read(staff, reverse(DELIVERIES))
    with django_assert_max_num_queries(9):
        read(staff, reverse(DELIVERIES))


def test_what_failed_is_sent_again_in_a_round_of_its_own_and_what_waits_is_not(staff):
    failed, waiting = make_delivery(), make_delivery(subject="2")
    Delivery.objects.filter(pk=failed.pk).update(state="failed", error="OSError: no route")
    answer = run(staff, DELIVERIES, "send_again", failed, waiting)
    assert "1 message will be sent again." in answer.content.decode()
    failed.refresh_from_db()
    waiting.refresh_from_db()
    assert [(each.state, each.rounds) for each in (failed, waiting)] == [("queued", 2), ("queued", 1)]
    assert "None of the chosen messages has failed." in run(staff, DELIVERIES, "send_again", failed).content.decode()


def test_who_may_only_look_sends_nothing_again(client):
    user = get_user_model().objects.create_user("mona@example.com", "word", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_delivery"))
    client.force_login(user)
    delivery = make_delivery()
    Delivery.objects.filter(pk=delivery.pk).update(state="failed", error="OSError: no route")
    run(client, DELIVERIES, "send_again", delivery)
    delivery.refresh_from_db()
    assert delivery.state == "failed"


def test_a_new_endpoint_shows_its_secret_once(staff):
    values = {"name": "ops", "url": "https://hooks.example/", "is_enabled": "on"}
    page = staff.post(reverse("admin:metering_webhookendpoint_add"), values).content.decode()
    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.secret in page
    assert endpoint.secret not in read(staff, reverse("admin:metering_webhookendpoint_change", args=[endpoint.pk]))


@pytest.mark.parametrize("url", ["http://hooks.example/", "https://me:word@hooks.example/", "javascript:alert(1)"])
def test_an_address_where_nothing_may_be_sent_is_refused_in_words(staff, url):
    values = {"name": "ops", "url": url, "is_enabled": "on"}
    page = staff.post(reverse("admin:metering_webhookendpoint_add"), values).content.decode()
    assert "Nothing can be sent there" in page
    assert WebhookEndpoint.objects.count() == 0


def test_an_endpoint_is_changed_without_a_new_secret(staff):
    made = create_endpoint(name="ops", url="https://hooks.example/", at=NOON)
    values = {"name": "ops", "url": "https://other.example/", "occasions": ["raised"], "is_enabled": "on"}
    staff.post(reverse("admin:metering_webhookendpoint_change", args=[made.id]), values)
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.url, endpoint.occasions, endpoint.secret) == ("https://other.example/", ["raised"], made.secret)


def test_a_test_is_fired_from_here_and_logged(staff):
    made = create_endpoint(name="ops", url="https://hooks.example/", at=NOON)
    endpoint = WebhookEndpoint.objects.get(pk=made.id)
    assert "A test is on its way to ops" in run(staff, ENDPOINTS, "fire_test", endpoint).content.decode()
    assert Delivery.objects.get().subject == "alert.test"


def test_an_endpoint_gets_a_new_secret_here(staff):
    made = create_endpoint(name="ops", url="https://hooks.example/", at=NOON)
    endpoint = WebhookEndpoint.objects.get(pk=made.id)
    asked = run(staff, ENDPOINTS, "rotate", endpoint).content.decode()
    assert 'name="keep_hours"' in asked
    page = run(staff, ENDPOINTS, "rotate", endpoint, keep_hours="24", confirmed="yes").content.decode()
    endpoint.refresh_from_db()
    assert endpoint.previous_secret == made.secret
    assert re.search(r"<code>(whsec_[^<]+)</code>", page)[1] == endpoint.secret
