import re

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.urls import reverse

from billing.models import BillingRun, Invoice
from billing.runs.opening import open_run
from crm.roles import FINANCE
from metering.models import Account
from tests.billing.makers import MID_JAN, use
from tests.billing.runs.makers import (
    DUE,
    bill,
    break_profile,
    list_totals,
    make_customers,
    make_too_large,
    preview,
    work,
)

pytestmark = pytest.mark.django_db

LIST = "/admin/billing/billingrun/"


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(DUE, tick=False):
        yield


@pytest.fixture
def finance(client):
    person = get_user_model().objects.create(email="finance@vendor.example", is_staff=True, is_active=True)
    person.groups.add(Group.objects.get(name=FINANCE))
    client.force_login(person)
    return client


def log_in(client, *permissions):
    person = get_user_model().objects.create(email="reader@vendor.example", is_staff=True, is_active=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(person)
    return client


def read(client, address, status=200):
    response = client.get(address)
    assert response.status_code == status
    return " ".join(response.content.decode().split())


def page_of(run, name=None):
    return reverse("admin:billing_billingrun_change" if name is None else f"admin:billing_run_{name}", args=[run.pk])


def test_finance_opens_looks_approves_and_finds_the_invoices(finance):
    make_customers("acme", "beta")
    assert "Open a run" in read(finance, LIST)
    assert "2 periods are due." in read(finance, reverse("admin:billing_run_open"))
    response = finance.post(reverse("admin:billing_run_open"))
    run = BillingRun.objects.get()
    assert response.url == page_of(run)
    page = read(finance, page_of(run))
    assert "admin-palier/progress.js" in page
    assert f'data-progress-url="{page_of(run, "progress")}"' in page
    assert "0 / 2" in page
    assert finance.get(page_of(run, "progress")).json() == {"done": 0, "total": 2, "finished": False}
    work()
    assert finance.get(page_of(run, "progress")).json() == {"done": 2, "total": 2, "finished": True}
    page = read(finance, page_of(run))
    assert "Awaits approval" in page
    assert "progress.js" not in page
    assert page.count("€10.50") == 2
    assert '<td class="amount">€21.00</td>' in page
    question = read(finance, page_of(run, "approve"))
    assert "2 invoices will be issued, over:" in question
    assert "€21.00" in question
    seen = re.search(r'name="seen" value="([^"]+)"', question)[1]
    assert finance.post(page_of(run, "approve"), {"seen": seen}).url == page_of(run)
    work()
    page = read(finance, page_of(run))
    assert "2 / 2" in page
    assert "2026-000001</a>" in page
    assert "2 invoices, €21.00" in page
    assert list_totals() == [("acme", 1_050), ("beta", 1_050)]
    run.refresh_from_db()
    person = get_user_model().objects.get()
    assert (run.state, run.opened_by, run.approved_by) == ("done", person, person)
    assert [each.get_change_message() for each in LogEntry.objects.order_by("pk")] == ["Opened.", "Approved."]


def test_an_approval_of_something_else_than_was_seen_is_refused(finance):
    make_customers("acme")
    run = preview()
    page = finance.post(page_of(run, "approve"), {"seen": "1; 0; EUR 1"}, follow=True).content.decode()
    assert "please look again" in page
    run.refresh_from_db()
    assert (run.state, Invoice.objects.count()) == ("awaiting", 0)
    assert not LogEntry.objects.exists()


def test_what_could_not_be_previewed_is_said_before_it_is_approved(finance):
    make_customers("acme")
    make_too_large("huge")
    run = preview()
    assert "1 of them could not be previewed" in read(finance, page_of(run, "approve"))
    page = read(finance, page_of(run) + "?show=failed")
    assert "AmountTooLarge" in page
    assert "Failed (1)" in page


def test_a_run_is_cancelled_after_a_question(finance):
    make_customers("acme")
    run = preview()
    assert "Nothing more of it is billed." in read(finance, page_of(run, "cancel"))
    run.refresh_from_db()
    assert run.state == "awaiting"
    finance.post(page_of(run, "cancel"))
    run.refresh_from_db()
    assert (run.state, run.cancelled_by.email) == ("cancelled", "finance@vendor.example")
    page = finance.get(page_of(run, "approve"), follow=True).content.decode()
    assert "nothing to decide any more" in page


def test_what_failed_is_tried_again_all_of_it_or_one_alone(finance):
    make_customers("acme", "beta", "gamma")
    mends = [break_profile(key) for key in ("acme", "beta")]
    run = bill()
    page = read(finance, page_of(run))
    assert "2 failed" in page
    assert page.count("has no billing profile") == 2
    assert "Tried again by itself at" in page
    for mend in mends:
        mend()
    beta = run.entries.get(account__key="beta")
    address = f"{page_of(run, 'retry')}?entry={beta.pk}"
    assert f'href="{address}"' in page
    assert "beta Ltd" in read(finance, address)
    finance.post(address)
    work()
    assert list_totals() == [("beta", 1_050), ("gamma", 1_050)]
    finance.post(page_of(run, "retry"))
    work()
    assert list_totals() == [("acme", 1_050), ("beta", 1_050), ("gamma", 1_050)]
    assert [each.get_change_message() for each in LogEntry.objects.order_by("pk")] == ["1 entry is tried again."] * 2


def test_nothing_due_is_said_and_opens_nothing(finance):
    assert "0 periods are due." in read(finance, reverse("admin:billing_run_open"))
    assert "Preview what is due" not in read(finance, reverse("admin:billing_run_open"))
    assert "Nothing is due" in finance.post(reverse("admin:billing_run_open"), follow=True).content.decode()
    assert not BillingRun.objects.exists()


def test_final_and_previewed_figures_stand_side_by_side_where_they_differ(finance):
    make_customers("acme")
    run = preview()
    use("acme", sizes=[1], time=MID_JAN, at=DUE)
    seen = re.search(r'name="seen" value="([^"]+)"', read(finance, page_of(run, "approve")))[1]
    finance.post(page_of(run, "approve"), {"seen": seen})
    work()
    page = read(finance, page_of(run) + "?show=different")
    assert '<td class="amount">€10.50</td> <td class="amount">€11.00<br>' in page
    assert "other than previewed" in page


def test_entries_are_filtered_searched_and_paged(finance, monkeypatch):
    monkeypatch.setattr("billing.admin.runs.PAGE", 2)
    make_customers("a-one", "b-two", "c-three")
    run = preview()
    page = read(finance, page_of(run))
    assert "Page 1 of 2" in page
    assert "c-three Ltd" not in page
    assert "c-three Ltd" in read(finance, page_of(run) + "?page=2")
    assert "c-three Ltd" in read(finance, page_of(run) + "?sort=-account")
    assert "a-one Ltd" not in read(finance, page_of(run) + "?q=three")
    assert "No entry is like that." in read(finance, page_of(run) + "?show=gone")


@pytest.mark.parametrize(
    "query",
    ["show=%27", "change=abc", "change=-1", "change=NaN", "change=1e99", "sort=pk", "page=x", "q=%00", "page=-1"],
)
def test_what_is_asked_wrongly_shows_all(finance, query):
    make_customers("acme")
    run = preview()
    assert "acme Ltd" in read(finance, f"{page_of(run)}?{query}")
    assert finance.get(f"{page_of(run, 'csv')}?{query}").status_code == 200


def test_a_change_that_is_no_number_is_told(finance):
    make_customers("acme")
    assert "Enter a number." in read(finance, page_of(preview()) + "?change=abc")


def test_the_file_has_what_is_shown(finance):
    make_customers("acme", "beta")
    run = preview()
    response = finance.get(page_of(run, "csv") + "?q=beta")
    assert response["Content-Disposition"] == f'attachment; filename="billing-run-{run.pk}.csv"'
    rows = b"".join(response.streaming_content).decode().splitlines()
    assert [row.split(",")[0] for row in rows] == ["account", "beta"]


def test_hostile_names_are_text(finance):
    make_customers("acme")
    Account.objects.update(name="<script>alert(1)</script>")
    assert "&lt;script&gt;alert(1)" in read(finance, page_of(preview()))


def test_the_list_says_who_opened_what_and_which_have_failures(finance):
    make_customers("acme", "beta")
    break_profile("acme")
    bill(is_automatic=True)
    page = read(finance, LIST)
    assert "by itself" in page
    assert "Run " in read(finance, LIST + "?failures=yes")
    BillingRun.objects.get().entries.filter(state="failed").update(state="skipped", reason="cancelled", retry_at=None)
    assert "0 billing runs" in read(finance, LIST + "?failures=yes")


def test_the_first_page_counts_what_awaits_approval_and_what_failed(finance):
    make_customers("acme", "beta")
    break_profile("acme")
    bill()
    page = read(finance, "/admin/")
    assert re.search(r"<strong>1</strong> <span>Billing runs with failures", page)
    assert re.search(r"<strong>0</strong> <span>Billing runs to approve", page)


def test_who_may_only_look_sees_no_button_and_may_not_send_one(client):
    make_customers("acme")
    run = preview()
    log_in(client, "view_billingrun")
    page = read(client, page_of(run))
    for word in ("Approve…", "Cancel the run…", "Open a run"):
        assert word not in page
    assert "Open a run" not in read(client, LIST)
    for address in (page_of(run, "approve"), page_of(run, "cancel"), page_of(run, "retry"), LIST + "open/"):
        assert client.get(address).status_code == 403
        assert client.post(address, {"seen": "1; 0; EUR 1050"}).status_code == 403
    run.refresh_from_db()
    assert (run.state, BillingRun.objects.count()) == ("awaiting", 1)


def test_who_may_not_look_is_refused(client):
    make_customers("acme")
    run = preview()
    log_in(client, "view_invoice")
    for address in (LIST, page_of(run), page_of(run, "csv"), page_of(run, "progress")):
        assert client.get(address).status_code == 403


def test_a_run_that_is_not_there_is_not_found(finance):
    for number in ("404", "9" * 30, "none"):
        assert finance.get(f"{LIST}{number}/change/").status_code in (302, 404)
    assert finance.post(f"{LIST}404/approve/").status_code == 404


@pytest.mark.parametrize("count", [2, 6])
def test_a_run_page_costs_the_same_whatever_it_holds(finance, django_assert_num_queries, count):
    make_customers(*[f"account-{number}" for number in range(count)])
    run = bill()
    finance.get(page_of(run))
    with django_assert_num_queries(12):
        finance.get(page_of(run))


def test_a_run_that_is_issued_shows_that_it_moves(finance):
    make_customers("acme")
    run = open_run(at=DUE, is_approved=True)
    page = read(finance, page_of(run))
    assert "Being issued" in page
    assert 'value="0" max="1"' in page
