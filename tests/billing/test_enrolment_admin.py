"""Accounts are put on plans, and given coupons, in the back-office: after a question, by who may."""

from decimal import Decimal

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from billing import coupons
from billing.models import Discount, Subscription
from tests.billing.makers import JAN, MID_JAN, make_account, make_plan, make_subscription
from tests.billing.test_admin import make_person

pytestmark = pytest.mark.django_db

ADD = {name: f"admin:billing_{name}_add" for name in ("subscription", "discount")}


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(MID_JAN, tick=False):
        yield


@pytest.fixture
def finance(client):
    names = ["view_subscription", "add_subscription", "view_discount", "add_discount"]
    client.force_login(make_person("finance@vendor.example", permissions=names))
    return client


def send(client, name, **fields):
    return client.post(reverse(ADD[name]), fields, follow=True).content.decode()


def enrol(client, **fields):
    return send(client, "subscription", **({"account": "acme", "plan": "growth", "quantity": "1"} | fields))


def test_an_account_is_subscribed_after_the_prices_were_shown(finance):
    make_account()
    make_plan()
    page = enrol(finance)
    assert "acme Ltd is subscribed and billed from then on:" in page
    assert "Base fee: €49.00 per period" in page
    assert not Subscription.objects.exists()
    enrol(finance, confirmed="yes")
    subscription = Subscription.objects.get()
    assert (subscription.version.plan.slug, subscription.started_at, subscription.quantity) == ("growth", MID_JAN, 1)
    assert subscription.changes.get().made_by.email == "finance@vendor.example"
    assert LogEntry.objects.filter(object_id=str(subscription.pk)).exists()


def test_a_subscription_may_begin_in_the_past_and_not_to_come(finance):
    make_account()
    make_plan()
    assert "cannot begin at" in enrol(finance, started_at="2026-02-01T00:00", confirmed="yes")
    enrol(finance, started_at="2026-01-01T00:00", confirmed="yes")
    assert Subscription.objects.get().started_at == JAN


def test_a_second_subscription_to_the_plan_is_refused(finance):
    make_subscription()
    assert "is subscribed to growth already" in enrol(finance, confirmed="yes")
    assert Subscription.objects.count() == 1


def test_a_coupon_is_applied_after_what_it_takes_off_was_shown(finance):
    subscription = make_subscription()
    coupons.create_coupon(code="HELLO", name="Hello", percent=Decimal(25), duration="forever")
    terms = {"account": "acme", "coupon": "HELLO", "plan": "growth"}
    page = send(finance, "discount", **terms)
    assert "<dd>25 %</dd>" in page
    assert not Discount.objects.exists()
    for _ in range(2):
        send(finance, "discount", **terms, confirmed="yes")
    discount = Discount.objects.get()
    assert (discount.subscription_id, discount.applied_by.email) == (subscription.id, "finance@vendor.example")


def test_a_coupon_that_cannot_be_applied_is_told(finance):
    make_subscription()
    coupons.create_coupon(code="OLD", name="Old", percent=Decimal(25), duration="forever", valid_until=JAN)
    page = send(finance, "discount", account="acme", coupon="OLD", confirmed="yes")
    assert "errorlist" in page
    assert not Discount.objects.exists()


@pytest.mark.parametrize("name", ADD)
def test_who_may_only_look_adds_nothing(client, name):
    make_subscription()
    client.force_login(make_person("reader@vendor.example", permissions=["view_subscription", "view_discount"]))
    assert client.get(reverse(ADD[name])).status_code == 403
    assert client.post(reverse(ADD[name]), {"confirmed": "yes"}).status_code == 403
