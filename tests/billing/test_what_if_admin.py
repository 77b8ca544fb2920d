from decimal import Decimal
from uuid import uuid4

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.urls import reverse

from billing.models import Plan
from billing.plans import add_version
from billing.rating import flat_fee, per_unit
from jobs.models import Job
from jobs.runner import run_job
from tests.billing.makers import FEB, HOUR, MID_JAN, make_plan, make_subscription, use

pytestmark = pytest.mark.django_db

READER = ["view_planversion", "view_invoice"]


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(FEB + HOUR, tick=False):
        yield


@pytest.fixture
def version_id():
    """A draft under which `big` would pay less and `small` more."""
    plan = make_plan(prices=[per_unit("R", meter_key="requests", unit_amount=Decimal("0.10"))], limits=())
    for key, count in [("small", 5), ("big", 90)]:
        make_subscription(key, plan=plan, at=FEB)
        use(key, sizes=[1] * count, time=MID_JAN)
    return add_version(plan_id=Plan.objects.get().pk, currency="EUR", prices=[flat_fee("Fee", Decimal(2))])


def log_in(client, *permissions):
    person = get_user_model().objects.create(email="reader@vendor.example", is_staff=True, is_active=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(person)
    return client


def ask(client, version_id, **question):
    """The address of the answer."""
    response = client.post(reverse("admin:billing_what_if", args=[version_id]), {"periods": 3} | question)
    assert response.status_code == 302, response.content.decode()
    return response.url


def run():
    run_job(Job.objects.get(kind="billing.answer_what_if").pk, clock=lambda: FEB + HOUR)


def read(client, address):
    response = client.get(address)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


@pytest.mark.django_db(transaction=True)
def test_a_question_is_answered_by_a_job_and_its_answer_read_on_its_page(client, version_id):
    log_in(client, *READER)
    address = ask(client, version_id)
    assert "this page looks again by itself" in read(client, address)
    run()
    page = read(client, address)
    for text in [
        "Would have paid less</span> <strong>1</strong>",
        "Would have paid more</span> <strong>1</strong>",
        "Revenue as it is</span> <strong>€9.50</strong>",
        "Revenue then</span> <strong>€4.00</strong>",
        "Change of revenue</span> <strong>−€5.50</strong>",
        '<td class="amount">€0.50</td><td class="amount">€2.00</td><td class="amount">+€1.50</td>',
        '<td class="amount">€9.00</td><td class="amount">€2.00</td><td class="amount">−€7.00</td>',
    ]:
        assert text in page
    assert "looks again" not in page
    assert page.index("small Ltd") < page.index("big Ltd")
    turned = read(client, f"{address}?sort=change")
    assert turned.index("big Ltd") < turned.index("small Ltd")
    assert 'aria-sort="ascending"' in turned
    rows = b"".join(client.get(f"{address}csv/").streaming_content).decode().splitlines()
    assert [row.split(",")[0] for row in rows] == ["account", "small", "big"]
    assert rows[2].endswith("2026-01-01 00:00,2026-02-01 00:00,EUR,9.00,2.00,-7.00,")
    cache.clear()
    assert "Please ask again" in read(client, address)


def test_subscribers_of_a_plan_alone_may_be_asked_about(client, version_id):
    log_in(client, *READER)
    ask(client, version_id, from_plan="growth", periods=2)
    job = Job.objects.get(kind="billing.answer_what_if")
    assert (job.payload["from_plan"], job.payload["periods"]) == ("growth", 2)


def test_a_job_that_failed_says_so(client, version_id):
    log_in(client, *READER)
    address = ask(client, version_id)
    Job.objects.update(state="dead", error="gone", attempts=3, started_at=FEB, finished_at=FEB)
    assert "The comparison failed" in read(client, address)


def test_a_draft_that_cannot_be_charged_is_refused_on_the_form(client, version_id):
    log_in(client, *READER)
    empty = add_version(plan_id=Plan.objects.get().pk, currency="EUR", prices=[])
    response = client.post(reverse("admin:billing_what_if", args=[empty]), {"periods": 3})
    assert "has no price" in response.content.decode()
    assert not Job.objects.filter(kind="billing.answer_what_if").exists()


def test_the_page_is_reached_from_the_version(client, version_id):
    log_in(client, *READER)
    link = reverse("admin:billing_what_if", args=[version_id])
    assert f'href="{link}"' in read(client, reverse("admin:billing_planversion_change", args=[version_id]))
    assert "Past periods" in read(client, link)


@pytest.mark.parametrize("permissions", [[], ["view_planversion"], ["view_invoice"]])
def test_who_may_not_read_versions_and_invoices_may_not_ask(client, version_id, permissions):
    log_in(client, *permissions)
    key = uuid4()
    for address in [
        reverse("admin:billing_what_if", args=[version_id]),
        reverse("admin:billing_what_if_answer", args=[version_id, key]),
        reverse("admin:billing_what_if_csv", args=[version_id, key]),
    ]:
        assert client.get(address).status_code == 403
    assert client.post(reverse("admin:billing_what_if", args=[version_id]), {"periods": 3}).status_code == 403
    assert not Job.objects.filter(kind="billing.answer_what_if").exists()


def test_an_answer_belongs_to_its_version_and_to_a_question(client, version_id):
    log_in(client, *READER)
    address = ask(client, version_id)
    other = Plan.objects.get().versions.get(number=1).pk
    for missing in [
        address.replace(f"/{version_id}/", f"/{other}/"),
        reverse("admin:billing_what_if_answer", args=[version_id, uuid4()]),
    ]:
        assert client.get(missing).status_code == 404
