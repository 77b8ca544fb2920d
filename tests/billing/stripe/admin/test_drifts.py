"""Drifts in the back-office: sums over what is filtered; accepted with a reason, repaired and looked at by jobs."""

import re

import pytest
import time_machine
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.urls import reverse

from billing.models import DriftAct, DriftState, StripeDrift
from billing.stripe.drifts import close_drift, open_drift
from billing.stripe.reconciling import repairs
from jobs.models import Job
from tests.billing.makers import FEB, make_account
from tests.billing.test_admin import make_person, show

pytestmark = pytest.mark.django_db
LIST = reverse("admin:billing_stripedrift_changelist")


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(FEB, tick=False):
        yield


@pytest.fixture
def finance(client):
    client.force_login(make_person("finance@vendor.example", permissions=["view_stripedrift", "repair_drift"]))
    return client


def make_drift(kind="invoice_total", key="7", minor=1, account=None):
    ours, theirs = "10.00 EUR", f"{10 - minor / 100:.2f} EUR"
    return open_drift(
        kind,
        key,
        account_id=account and account.id,
        ours=ours,
        theirs=theirs,
        cause="<b>A tie.</b>",
        at=FEB,
        difference_minor=minor,
        currency="EUR",
    )


def act(client, action, *drifts, **fields):
    data = {"action": action, ACTION_CHECKBOX_NAME: [drift.pk for drift in drifts]} | fields
    return client.post(LIST, data, follow=True).content.decode()


def test_the_list_sums_what_is_filtered_by_kind(finance):
    make_drift(minor=1)
    make_drift(key="8", minor=250)
    make_drift("payment", minor=-50)
    page = show(finance, "stripedrift")
    assert "€2.51" in page
    filtered = finance.get(LIST, {"kind": "payment"}).content.decode()
    assert ("€2.51" in filtered, "−€0.50" in filtered) == (False, True)


def test_a_page_says_what_to_do_and_what_was_done_and_writes_no_html_of_others(finance):
    drift = make_drift(account=make_account())
    page = show(finance, "stripedrift", drift.pk)
    for text in ["what an invoice asks (7)", "acme Ltd", "the rest is asked", "found: 10.00 EUR ≠ 9.99 EUR"]:
        assert text in page
    assert "<b>A tie.</b>" not in page
    assert 'name="_save"' not in page


def test_a_page_offers_what_can_be_done_of_an_open_drift_alone_and_to_those_who_may(client, finance):
    drift, dispute = make_drift(), make_drift("dispute")
    offered = [
        set(re.findall('name="action" value="(.*?)"', show(finance, "stripedrift", row.pk))) for row in (drift, dispute)
    ]
    assert offered == [{"repair", "adjust", "look_again", "accept"}, {"look_again", "accept"}]
    close_drift("dispute", "7", at=FEB)
    assert 'name="action"' not in show(finance, "stripedrift", dispute.pk)
    client.force_login(make_person("rep@vendor.example", permissions=["view_stripedrift"]))
    assert 'name="action"' not in show(client, "stripedrift", drift.pk)


def test_accepting_asks_for_a_reason_first(finance):
    drift = make_drift()
    assert "until one of both figures changes" in act(finance, "accept", drift)
    assert "This field is required" in act(finance, "accept", drift, confirmed="yes", reason=" ")
    assert StripeDrift.objects.get().state == DriftState.OPEN
    act(finance, "accept", drift, confirmed="yes", reason="Settled by hand.")
    drift.refresh_from_db()
    assert (drift.state, drift.reason) == (DriftState.ACCEPTED, "Settled by hand.")
    assert drift.closed_by.email == "finance@vendor.example"


def test_what_is_closed_is_not_accepted(finance):
    drift = make_drift()
    close_drift("invoice_total", "7", at=FEB)
    assert "None of the selected drifts is open" in act(finance, "accept", drift)


def test_looking_again_is_a_job_for_each_account(finance):
    drifts = [make_drift(), make_drift(key="8"), make_drift(key="9", account=make_account())]
    act(finance, "look_again", *drifts)
    accounts = {job.payload["account"] for job in Job.objects.filter(kind=repairs.LOOK_AGAIN)}
    assert accounts == {None, drifts[2].account_id}


def test_a_repair_is_asked_about_and_promised_once(finance, monkeypatch):
    done = []
    repair = repairs.Repair(DriftAct.RESENT, "send it again", lambda drift, at: done.append(drift.key))
    monkeypatch.setattr(repairs, "REPAIRS", {"usage_failed": repair})
    drift, other = make_drift("usage_failed", "1 2"), make_drift("payment")
    page = act(finance, "repair", drift, other)
    assert ("send it again" in page, "what was paid" in page) == (True, False)
    for _ in range(2):
        act(finance, "repair", drift, other, confirmed="yes")
    assert Job.objects.filter(kind=repairs.REPAIR).count() == 1


@pytest.mark.parametrize("permissions", [[], ["view_stripedrift"]])
def test_who_may_only_look_or_not_even_that_changes_nothing(client, permissions):
    client.force_login(make_person("rep@vendor.example", permissions=permissions))
    drift = make_drift()
    for action in ("accept", "repair", "look_again"):
        act(client, action, drift, confirmed="yes", reason="Mine.")
    assert client.post(reverse("admin:billing_stripe_look")).status_code == 403
    assert client.get(reverse("admin:billing_stripe_overview")).status_code == (200 if permissions else 403)
    assert StripeDrift.objects.get().state == DriftState.OPEN
    assert not Job.objects.exists()


def test_the_overview_counts_what_waits_and_what_differs(finance, settings):
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = "sk_test_1", "http://127.0.0.1:9"
    make_drift(minor=250)
    page = finance.get(reverse("admin:billing_stripe_overview")).content.decode()
    for text in ["test mode", "a simulator at 127.0.0.1:9", "endive", "0 / 10,000", "what an invoice asks", "€2.50"]:
        assert text in page
    assert "sk_test_1" not in page
    finance.post(reverse("admin:billing_stripe_look"))
    assert Job.objects.get(kind=repairs.LOOK_AGAIN).payload == {"account": None}
