import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from crm.assignment import assign_lead
from crm.leads import move_lead, open_leads
from crm.models import Lead
from crm.signals import strongest_signal
from metering.accounts import create_account
from metering.alerts import list_alerts
from metering.notices.words import word_alert
from tests.crm.makers import (
    JUNE_1,
    JUNE_10,
    JUNE_11,
    find_customer,
    find_person,
    make_customer,
    make_lead,
    make_manager,
    make_plain_lead,
    make_rep,
    raise_alert,
    use,
)

pytestmark = pytest.mark.django_db

LIST = reverse("admin:crm_lead_changelist")


def listed(answer):
    return [str(lead.account) for lead in answer.context["cl"].result_list]


@time_machine.travel(JUNE_11, tick=False)
def test_the_list_says_in_one_sentence_why_to_call(log_in):
    rosa = make_rep("rosa")
    make_lead("acme", count=260)

    page = log_in(find_person(rosa)).get(LIST).content.decode()

    assert "Requests at 104\xa0% of 250 — limit reached, resets in 19 days" in page
    for words in ("Acme", "100\xa0%", "new", "Rosa", "10 June 2026, 12:00", "Search in account names and keys"):
        assert words in page


def test_the_worst_come_first_then_who_waits_longest(log_in):
    make_lead("mild", count=210, at=JUNE_10)
    make_lead("hot", count=260, at=JUNE_11)
    make_lead("older", count=260, at=JUNE_10)

    assert listed(log_in(make_manager()).get(LIST)) == ["Older", "Hot", "Mild"]


def test_the_sentence_is_about_the_highest_level_of_the_latest_window():
    lead = make_lead("acme", count=210)
    use(find_customer(lead), 50, at=JUNE_11, batch="b")
    open_leads(at=JUNE_11)

    assert strongest_signal(lead.pk).alert.level == Decimal(100)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"Mine", "Queued", "Mild"}),
        ("?stage=every", {"Mine", "Queued", "Mild", "Closed"}),
        ("?stage=lost", {"Closed"}),
        ("?stage=contacted", {"Mine"}),
        ("?whose=queue", {"Queued", "Mild"}),
        ("?whose=mine", {"Mine"}),
        ("?limit=reached", {"Mine", "Queued"}),
        ("?limit=close", {"Mild"}),
        ("?q=que", {"Queued"}),
        ("?opened_at__year=2026&opened_at__month=6", {"Mine", "Queued", "Mild"}),
        ("?opened_at__year=2025", set()),
        ("?_facets=True", {"Mine", "Queued", "Mild"}),
    ],
)
def test_filters_and_search_narrow_the_list(log_in, query, found):
    rosa = make_rep("rosa", is_present=False)
    mine, closed = make_plain_lead("mine"), make_plain_lead("closed")
    make_plain_lead("queued")
    Lead.objects.filter(pk=make_plain_lead("mild").pk).update(level=80)
    for lead in (mine, closed):
        assign_lead(lead_id=lead.pk, rep_id=rosa.id, actor_id=None, at=JUNE_11)
    move_lead(lead_id=mine.pk, to_stage="contacted", actor_id=None, at=JUNE_11)
    move_lead(lead_id=closed.pk, to_stage="lost", actor_id=None, at=JUNE_11, reason="gone")

    assert set(listed(log_in(find_person(rosa)).get(LIST + query))) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?priority=high", ["Full"]),
        ("?priority=normal", ["Credit", "Close"]),
        ("?priority=low", []),
        ("?priority=nonsense", ["Full", "Credit", "Close"]),
        ("?about=usage", ["Full", "Close"]),
        ("?about=credit", ["Credit"]),
        ("?about=anomaly", []),
    ],
)
def test_the_list_is_narrowed_by_priority_and_by_what_a_lead_is_about(log_in, query, found):
    make_lead("close", count=210)
    make_lead("full", count=260)
    credit = {"kind": "credit", "level": 20, "used": 12, "quantity": 100, "subject": "EUR", "severity": "warning"}
    raise_alert(make_customer("credit"), **credit, details={"currency": "EUR"})
    open_leads(at=JUNE_10)

    assert sorted(listed(log_in(make_manager()).get(LIST + query))) == sorted(found)


def test_the_list_says_the_priority_in_a_word_and_goes_by_it(log_in):
    make_lead("close", count=210)
    make_lead("full", count=260)

    page = log_in(make_manager()).get(LIST)
    assert listed(page) == ["Full", "Close"]
    html = page.content.decode()
    assert '<span class="badge badge-priority-high"><span aria-hidden="true">▲</span> high</span>' in html
    assert '<span class="badge badge-priority-normal"><span aria-hidden="true">●</span> normal</span>' in html


def test_what_no_limit_measures_is_told_in_the_words_of_its_alert(log_in):
    credit = {"kind": "credit", "level": 20, "used": 12, "quantity": 100, "subject": "EUR", "severity": "warning"}
    account = make_customer("credit")
    raise_alert(account, **credit, details={"currency": "EUR"})
    open_leads(at=JUNE_10)

    [alert] = list_alerts([account.id])
    assert f"{word_alert(alert).title} — " in log_in(make_manager()).get(LIST).content.decode()


def test_a_manager_may_look_at_one_reps_leads(log_in):
    rosa = make_rep("rosa", is_present=False)
    make_plain_lead("queued")
    assign_lead(lead_id=make_plain_lead("hers").pk, rep_id=rosa.id, actor_id=None, at=JUNE_11)

    assert listed(log_in(make_manager()).get(f"{LIST}?rep__id__exact={rosa.id}")) == ["Hers"]


def test_fifty_leads_cost_as_many_queries_as_one(log_in):
    make_rep("rosa")
    client = log_in(make_manager())
    make_lead("first")
    client.get(LIST)  # content types are read once per process

    def count_queries(url):
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(url)
            list(getattr(answer, "streaming_content", []))
        return len(captured)

    export = reverse("admin:crm_lead_export")
    one = [count_queries(LIST), count_queries(export)]
    copy_lead(Lead.objects.get(), times=49)
    assert [count_queries(LIST), count_queries(export)] == one
    assert len(listed(client.get(LIST))) == 50


def copy_lead(lead, *, times):
    """Leads like this one on other accounts, each with its own alert and signal."""
    signal = lead.signals.select_related("alert").get()
    for number in range(times):
        account = create_account(key=f"copy-{number}", name=f"Copy {number}", at=JUNE_1)
        alert, copied = signal.alert, Lead.objects.get(pk=lead.pk)
        alert.pk, alert.account_id = None, account.id
        alert.save(force_insert=True)
        copied.pk, copied.account_id = None, account.id
        copied.save(force_insert=True)
        copied.signals.create(alert=alert, evidence=signal.evidence, created_at=JUNE_10)


def test_an_empty_list_explains_itself(log_in):
    page = log_in(make_manager()).get(LIST).content.decode()

    assert "Nobody to call right now" in page
    assert "80 % or 100 % of a limit" in page


def test_a_search_without_a_hit_says_how_to_get_back(log_in):
    make_plain_lead("acme")
    page = log_in(make_manager()).get(LIST + "?q=nothing-like-it").content.decode()

    assert "No lead matches" in page
    assert "Show all open leads" in page


@time_machine.travel(JUNE_11, tick=False)
def test_the_download_is_the_filtered_list(log_in):
    make_rep("rosa")
    make_lead("acme", count=260)
    make_lead("mild", count=210)
    answer = log_in(make_manager()).get(reverse("admin:crm_lead_export") + "?limit=reached")

    assert answer["Content-Disposition"] == 'attachment; filename="leads-2026-06-11.csv"'
    [row] = csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode()))
    assert row == {
        "lead": str(Lead.objects.get(level=100).pk),
        "account": "acme",
        "name": "Acme",
        "priority": "high",
        "severity": "critical",
        "why": "Requests at 104\xa0% of 250 — limit reached, resets in 19 days",
        "about": "usage",
        "meter": "requests",
        "level_percent": "100",
        "used": "260",
        "limit": "250",
        "unit": "request",
        "stage": "new",
        "rep": "Rosa",
        "opened_at": "2026-06-10T12:00:00+00:00",
        "closed_at": "",
        "lost_reason": "",
    }


def test_the_download_defuses_formulas(log_in):
    lead = make_plain_lead("acme")
    type(lead.account).objects.filter(pk=lead.account_id).update(name="=HYPERLINK(1)")
    answer = log_in(make_manager()).get(reverse("admin:crm_lead_export"))

    [row] = csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode()))
    assert row["name"] == "'=HYPERLINK(1)"


def test_a_download_of_nonsense_leads_to_the_list(log_in):
    answer = log_in(make_manager()).get(reverse("admin:crm_lead_export") + "?id__exact=abc")

    assert (answer.status_code, answer["Location"]) == (302, LIST + "?e=1")


def post_action(client, action, leads, **answers):
    chosen = {ACTION_CHECKBOX_NAME: [lead.pk for lead in leads], "action": action, "index": 0}
    return client.post(LIST, chosen | answers, follow=True)


def test_assigning_many_asks_first_with_the_number_and_the_names(log_in):
    make_rep("rosa", is_present=False)
    chosen = [make_plain_lead("acme"), make_plain_lead("brook")]

    page = post_action(log_in(make_manager()), "assign_selected", chosen).content.decode()

    assert "2 leads are selected:" in page
    assert "Acme — new" in page
    assert "Assign (2)" in page
    assert "Rosa (away today)" in page
    assert not Lead.objects.filter(rep__isnull=False).exists()


def test_confirming_assigns_them_all_and_counts(log_in):
    rosa, mona = make_rep("rosa", is_present=False), make_manager()
    chosen, other = [make_plain_lead("acme"), make_plain_lead("brook")], make_plain_lead("other")

    page = post_action(log_in(mona), "assign_selected", chosen, confirmed="yes", rep=rosa.id).content.decode()

    assert "2 leads given." in page
    assert set(Lead.objects.filter(rep_id=rosa.id)) == set(chosen)
    assert {entry.actor_id for lead in chosen for entry in lead.activities.all()} == {mona.pk}
    assert Lead.objects.get(pk=other.pk).rep_id is None


def test_confirming_without_a_rep_asks_again(log_in):
    page = post_action(log_in(make_manager()), "assign_selected", [make_plain_lead("acme")], confirmed="yes")

    assert "This field is required." in page.content.decode()
    assert Lead.objects.get().rep_id is None


def test_a_whole_list_can_be_assigned_at_once(log_in):
    rosa = make_rep("rosa", is_present=False)
    leads = [make_plain_lead(f"customer-{number}") for number in range(3)]

    post_action(log_in(make_manager()), "assign_selected", leads[:1], select_across="1", confirmed="yes", rep=rosa.id)

    assert Lead.objects.filter(rep_id=rosa.id).count() == 3


def test_what_cannot_be_assigned_is_left_alone_and_said(log_in):
    rosa = make_rep("rosa", is_present=False)
    closed = make_plain_lead("closed")
    move_lead(lead_id=closed.pk, to_stage="won", actor_id=None, at=JUNE_11)
    client = log_in(make_manager())
    answers = {ACTION_CHECKBOX_NAME: [closed.pk], "action": "assign_selected", "index": 0, "confirmed": "yes"}

    page = client.post(LIST + "?stage=every", answers | {"rep": rosa.id}, follow=True).content.decode()

    assert "1 lead left alone: This lead is closed." in page
    assert Lead.objects.get().rep_id is None


def test_a_rep_takes_many_from_the_queue(log_in):
    rosa = make_rep("rosa", is_present=False)
    chosen, client = [make_plain_lead("acme"), make_plain_lead("brook")], log_in(find_person(rosa))

    assert "Take (2)" in post_action(client, "take_selected", chosen).content.decode()
    assert "2 leads given." in post_action(client, "take_selected", chosen, confirmed="yes").content.decode()
    assert Lead.objects.filter(rep_id=rosa.id).count() == 2


def test_the_sentence_counts_down_on_its_own(log_in):
    make_lead("acme", count=260)
    client = log_in(make_manager())
    with time_machine.travel(JUNE_11 + timedelta(days=30), tick=False):
        client.force_login(make_manager("max"))
        assert "limit reached, its period has ended" in client.get(LIST).content.decode()
