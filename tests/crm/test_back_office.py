"""The back-office as a whole: its door, its first page, its strict policy."""

import re

import pytest
import time_machine
from django.urls import reverse

from crm.leads import move_lead
from crm.roles import FINANCE
from tests.crm.makers import (
    JUNE_11,
    PASSWORD,
    find_person,
    make_lead,
    make_manager,
    make_plain_lead,
    make_rep,
    make_user,
)

pytestmark = pytest.mark.django_db


def figures(client):
    return [(str(figure.title), figure.count) for figure in client.get("/admin/").context["figures"]]


@pytest.mark.usefixtures("no_attempts_counted")
def test_strangers_log_in_where_everybody_does_and_come_back(client):
    make_manager()
    first = client.get("/admin/crm/lead/?stage=every", follow=True)
    assert first.redirect_chain[-1][0] == "/accounts/login/?next=/admin/crm/lead/%3Fstage%3Devery"

    answers = {"login": "mona@example.com", "password": PASSWORD, "next": "/admin/crm/lead/?stage=every"}
    answer = client.post("/accounts/login/", answers)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/crm/lead/?stage=every")


@pytest.mark.parametrize(
    ("wanted", "sent_to"),
    [
        ("/admin/crm/lead/", "/admin/crm/lead/"),
        ("", "/admin/"),
        ("https://evil.example/", "/admin/"),
        ("//evil", "/admin/"),
    ],
)
def test_staff_at_the_log_in_page_are_sent_on_but_never_off_this_host(log_in, wanted, sent_to):
    answer = log_in(make_manager()).get("/admin/login/", {"next": wanted})

    assert (answer.status_code, answer["Location"]) == (302, sent_to)


def test_a_customer_is_told_that_this_is_not_theirs_without_going_round_in_circles(log_in):
    answer = log_in(make_user("cleo", is_staff=False)).get("/admin/crm/lead/", follow=True)

    assert len(answer.redirect_chain) == 1
    assert answer.status_code == 403
    assert "You are logged in as Cleo" in answer.content.decode()
    assert reverse("account_logout") in answer.content.decode()


def test_passwords_are_changed_where_everybody_changes_theirs(log_in):
    answer = log_in(make_manager()).get("/admin/password_change/")

    assert answer["Location"] == reverse("account_change_password")


@time_machine.travel(JUNE_11, tick=False)
def test_today_shows_a_rep_their_calls(log_in):
    rosa, paul = make_rep("rosa"), make_rep("paul")
    make_lead("one"), make_lead("two"), make_lead("three")
    done = make_lead("four")
    move_lead(lead_id=done.pk, to_stage="won", actor_id=None, at=JUNE_11)
    make_plain_lead("queued")

    assert figures(log_in(find_person(rosa))) == [("My open leads", 2), ("Leads in the queue", 1)]
    assert figures(log_in(find_person(paul))) == [("My open leads", 1), ("Leads in the queue", 1)]


def test_each_figure_is_a_link_to_as_many_rows(log_in):
    rosa = make_rep("rosa")
    make_lead("one"), make_lead("two")
    make_plain_lead("queued")
    root = make_user("root", is_superuser=True)
    for person in (find_person(rosa), make_manager(), root):
        client = log_in(person)
        shown = client.get("/admin/").context["figures"]
        assert shown
        for figure in shown:
            assert client.get(figure.url).context["cl"].result_count == figure.count


def test_each_figure_needs_its_permission(log_in):
    make_lead("one")
    titles = [title for title, _count in figures(log_in(make_user("fred", group=FINANCE)))]

    assert "My open leads" not in titles
    assert "Dead jobs" not in titles


def test_an_operator_sees_dead_jobs_and_a_manager_everybodys_leads(log_in):
    make_lead("one")

    assert ("Dead jobs", 0) in figures(log_in(make_user("root", is_superuser=True)))
    assert ("Open leads of everyone", 1) in figures(log_in(make_manager()))


def test_staff_without_any_group_are_told_what_to_ask_for(log_in):
    page = log_in(make_user("nora")).get("/admin/").content.decode()

    assert "Nothing here is yours to watch yet." in page


@pytest.mark.parametrize("path", ["", "crm/lead/", "crm/lead/{lead}/change/", "crm/repprofile/", "crm/repprofile/add/"])
def test_every_page_keeps_to_the_strict_policy(log_in, path):
    make_rep("rosa")
    lead = make_lead("acme")
    answer = log_in(make_user("root", is_superuser=True)).get(f"/admin/{path.format(lead=lead.pk)}")
    html = answer.content.decode()

    assert answer.status_code == 200
    assert "script-src 'self'" in answer["Content-Security-Policy"]
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son[a-z]+=|javascript:", html)
    assert "admin-palier/palier.css" in html


def test_a_manager_makes_a_rep_and_who_comes_in_is_given_the_queue(log_in):
    lead, sam = make_plain_lead("acme"), make_user("sam")

    answer = log_in(make_manager()).post("/admin/crm/repprofile/add/", {"user": sam.pk, "is_present": "on"})

    assert answer.status_code == 302
    lead.refresh_from_db()
    assert lead.rep.user_id == sam.pk


def test_only_staff_can_be_made_reps(log_in):
    cleo = make_user("cleo", is_staff=False)

    answer = log_in(make_manager()).post("/admin/crm/repprofile/add/", {"user": cleo.pk, "is_present": "on"})

    assert "user" in answer.context["adminform"].form.errors


def test_presence_is_ticked_in_the_list(log_in):
    rosa, lead = make_rep("rosa", is_present=False), make_plain_lead("acme")
    form = {"form-TOTAL_FORMS": 1, "form-INITIAL_FORMS": 1, "form-0-id": rosa.id, "form-0-is_present": "on"}

    log_in(make_manager()).post("/admin/crm/repprofile/", form | {"_save": "Save"})

    lead.refresh_from_db()
    assert lead.rep_id == rosa.id


def test_a_rep_does_not_manage_reps(log_in):
    assert log_in(find_person(make_rep("rosa"))).get("/admin/crm/repprofile/").status_code == 403
