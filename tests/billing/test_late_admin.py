import pytest
from django.urls import reverse

from billing.late import changes as late_changes
from billing.late.policy import LatePolicy
from billing.models import LateChange
from tests.billing.late.test_settling import NEXT, come_late, make_billed, settle, take_back_event
from tests.billing.makers import FEB, HOUR
from tests.billing.test_admin import make_person, show

pytestmark = pytest.mark.django_db


@pytest.fixture
def finance(client):
    client.force_login(make_person("finance@vendor.example", permissions=["view_latechange", "view_invoice"]))
    return client


def list_page(client, **query):
    return client.get(reverse("admin:billing_latechange_changelist"), query).content.decode()


def make_ledger():
    _, invoice = make_billed(10)
    come_late(5)
    settle(invoice)
    take_back_event(0, at=FEB + 3 * HOUR)
    late_changes.collect_changes(NEXT)
    return invoice


def test_the_ledger_lists_every_change_with_what_was_done_and_sums(finance):
    make_ledger()
    page = list_page(finance)
    assert "Calls: 10 requests counted before, 15 requests now; €0.50 will be billed." in page
    assert "<span>billed</span> <strong>1</strong> €0.50" in page
    assert "<span>waits</span> <strong>1</strong>" in page


FILTERS = {
    "its cause": ({"cause__exact": "correction"}, "−1 request", "+5 requests"),
    "what was done": ({"outcome": "bill"}, "+5 requests", "−1 request"),
    "that it waits": ({"outcome": "waiting"}, "−1 request", "+5 requests"),
    "its account": ({"q": "acme"}, "+5 requests", "nothing else"),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_change_is_found_by(finance, name):
    make_ledger()
    query, shown, hidden = FILTERS[name]
    page = list_page(finance, **query).replace("-1", "−1")
    assert shown in page
    assert hidden not in page
    assert "+5 requests" not in list_page(finance, q="nobody")
    assert "+5 requests" in list_page(finance, period_start__year="2026", period_start__month="1")
    assert "+5 requests" not in list_page(finance, period_start__year="2025")


def test_what_was_waived_is_summed_as_such(finance):
    _, invoice = make_billed(10, late=LatePolicy(bills=False))
    come_late(5)
    settle(invoice)
    page = list_page(finance)
    assert "<span>waived</span> <strong>1</strong> €0.50" in page
    assert "€0.50 is waived." in page


def test_a_change_leads_to_its_events(finance):
    make_ledger()
    late, corrected = LateChange.objects.order_by("adjustment_id")
    page = show(finance, "latechange", late.pk)
    assert page.count("<td>test event-") == 5
    assert "retract: a test (ops)" in show(finance, "latechange", corrected.pk)
    assert 'name="_save"' not in page


def test_events_are_read_a_page_at_a_time(finance):
    _, invoice = make_billed(1)
    come_late(60)
    settle(invoice)
    url = reverse("admin:billing_latechange_change", args=[LateChange.objects.get().pk])
    first = finance.get(url).content.decode()
    assert first.count("<td>test event-") == 50
    link = first.split('<a href="?source=')[1].split('"')[0].replace("&amp;", "&")
    second = finance.get(f"{url}?source={link}").content.decode()
    assert (second.count("<td>test event-"), "Next events" in second, "First events" in second) == (10, False, True)


@pytest.mark.parametrize("text", ["\0", "<script>", "'; DROP TABLE"])
def test_hostile_places_in_the_list_of_events_are_inert(finance, text):
    make_ledger()
    url = reverse("admin:billing_latechange_change", args=[LateChange.objects.first().pk])
    response = finance.get(url, {"source": text, "id": text})
    assert response.status_code == 200
    assert "<script>'" not in response.content.decode()


def test_a_page_costs_the_same_for_any_number_of_changes(finance, django_assert_max_num_queries):
    _, invoice = make_billed(1)
    for number in range(12):
        come_late(1, at=FEB + (number + 2) * HOUR)
        if number % 3 == 0:
            settle(invoice)
    with django_assert_max_num_queries(18):
        list_page(finance)


def test_who_may_not_see_it_does_not(client):
    make_ledger()
    client.force_login(make_person("rep@vendor.example", permissions=["view_invoice"]))
    url = reverse("admin:billing_latechange_change", args=[LateChange.objects.first().pk])
    assert client.get(reverse("admin:billing_latechange_changelist")).status_code == 403
    assert client.get(url).status_code == 403
