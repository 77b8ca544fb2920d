from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from crm import invariants
from crm.leads import move_lead, open_leads
from crm.models import Activity, Lead
from metering.alerts import list_alerts
from metering.limits import LimitTerms, hand_over_limits
from metering.meters import find_meter
from metering.notices.words import word_alert
from tests.crm.makers import (
    JULY_1,
    JUNE_1,
    JUNE_11,
    expect,
    find_customer,
    find_person,
    make_customer,
    make_large,
    make_lead,
    make_manager,
    make_plain_lead,
    make_rep,
    raise_alert,
    resolve_alerts,
    use,
)

pytestmark = pytest.mark.django_db


def open_page(client, lead):
    return client.get(reverse("admin:crm_lead_change", args=[lead.pk]))


def post(client, lead, verb, **answers):
    return client.post(reverse(f"admin:crm_lead_{verb}", args=[lead.pk]), answers, follow=True)


@time_machine.travel(JUNE_11, tick=False)
def test_the_page_says_why_with_the_frozen_facts_beside_todays(log_in):
    make_large()
    rosa = make_rep("rosa")
    lead = make_lead("acme", count=260)
    use(find_customer(lead), 40, at=JUNE_11, batch="later")

    page = open_page(log_in(find_person(rosa)), lead)
    shown = page.context["page"]

    assert shown.why == "Requests at 120\xa0% of 250 — limit reached, resets in 19 days"
    assert [(row.label, row.then, row.now) for row in shown.rows] == [
        ("Used", "260", "300"),
        ("Limit", "250", "250"),
        ("Share", "104\xa0%", "120\xa0%"),
        ("Reset", "resets in 20 days", "resets in 19 days"),
        ("Plan", "Small", "Small"),
        ("Cost so far", "€20.20", "€21.00"),
        ("Next plan", "Large: 5,000 for €99.00", "Large: 5,000 for €99.00"),
    ]
    assert shown.cost_lines == [("Base fee", "€19.00"), ("Requests", "€2.00")]
    assert shown.advice == (
        "Large allows 5,000 on Requests: the usage so far would be 6\xa0% of it."
        " This period's usage so far would cost €99.00 there, against €21.00 today."
    )
    assert [(bar.meter_name, bar.share, bar.filled) for bar in shown.limits] == [("Requests", "120\xa0%", 100)]
    html = page.content.decode()
    assert html.count('<svg class="usage-chart"') == 2
    assert "300 requests used from 1 June 2026 to 30 June 2026, of a limit of 250 requests." in html
    assert "260 requests used from 1 June 2026 to 30 June 2026, of a limit of 250 requests." in html


@time_machine.travel(JUNE_11, tick=False)
def test_the_page_shows_what_is_expected_beside_what_was(log_in):
    lead = make_lead("acme", count=210)
    expect(
        find_customer(lead),
        "0.86",
        at=JUNE_11,
        hit_low=datetime(2026, 6, 22, tzinfo=UTC),
        hit_mid=datetime(2026, 6, 24, tzinfo=UTC),
        hit_high=datetime(2026, 6, 27, tzinfo=UTC),
        total_low=Decimal(280),
        total_mid=Decimal(310),
        total_high=Decimal(350),
        reason="trend_up",
        reason_params={"percent": 34, "since": "2026-06-02"},
    )

    shown = open_page(log_in(make_manager()), lead).context["page"]

    assert [(row.label, row.then, row.now) for row in shown.rows][4:8] == [
        ("Chance of reaching it", "–", "86\xa0%"),
        ("Reaches it", "–", "Wed 24 Jun (Mon 22 Jun – Sat 27 Jun)"),
        ("Total at the reset", "–", "310 (280 – 350)"),
        ("Because", "–", "growing: up 34\xa0% since 2 Jun"),
    ]


@time_machine.travel(JUNE_11, tick=False)
def test_the_page_lists_the_alerts_with_what_became_of_them(log_in):
    lead = make_lead("acme", count=210)
    resolve_alerts(find_customer(lead), at=JUNE_11, recovery="fell")
    raise_alert(find_customer(lead), level=Decimal(100), severity="critical", cause="limit_changed", used=Decimal(260))
    open_leads(at=JUNE_11)

    page = open_page(log_in(make_manager()), lead)

    shown = page.context["page"]
    full, close = (word_alert(alert) for alert in list_alerts([lead.account_id]))
    assert [(row.title, row.kind, row.severity, row.state) for row in shown.signals] == [
        (
            full.title,
            "usage",
            "critical",
            "It stands. The limit was changed; the usage did not jump.",
        ),
        (close.title, "usage", "warning", "It was left again."),
    ]
    assert shown.told == full.sentence
    assert "104\xa0%" in full.sentence
    assert "priority" in page.content.decode()


@time_machine.travel(JUNE_11, tick=False)
def test_a_lead_about_no_meter_has_a_page_without_charts(log_in):
    make_large()
    credit = {"kind": "credit", "level": 20, "used": 12, "quantity": 100, "subject": "EUR", "severity": "warning"}
    raise_alert(make_customer("acme"), **credit, details={"currency": "EUR"})
    open_leads(at=JUNE_11)

    page = open_page(log_in(make_manager()), Lead.objects.get())

    shown = page.context["page"]
    [credit] = list_alerts([Lead.objects.get().account_id])
    assert shown.why == f"{word_alert(credit).title} — resets in 19 days"
    assert (shown.frozen_chart, shown.live_chart) == (None, None)
    assert [(row.label, row.then, row.now) for row in shown.rows] == [
        ("Plan", "Small", "Small"),
        ("Cost so far", "€19.00", "€19.00"),
        ("Next plan", "Large for €99.00", "Large for €99.00"),
    ]
    assert shown.advice == "This period's usage so far would cost €99.00 there, against €19.00 today."


@time_machine.travel(JUNE_11, tick=False)
def test_after_an_upgrade_the_page_says_that_there_is_room_again(log_in):
    lead = make_lead("acme", count=260)
    terms = [LimitTerms(meter_id=find_meter("requests").id, quantity=Decimal(5000), is_hard=False)]
    hand_over_limits(account_ids=[lead.account_id], terms=terms, start=JUNE_1, end=JULY_1, at=JUNE_11)

    shown = open_page(log_in(make_manager()), lead).context["page"]

    assert shown.why == "Requests at 5\xa0% of 5,000 — room again, resets in 19 days"


@time_machine.travel("2026-08-02T00:00:00Z", tick=False)
def test_once_the_window_is_over_the_frozen_facts_remain(log_in):
    lead = make_lead("acme", count=260)

    page = open_page(log_in(make_manager()), lead)

    assert page.context["page"].why == "Requests at 104\xa0% of 250 — limit reached, its period has ended"
    assert page.context["page"].live_chart is None
    assert "This meter has no limit at the moment." in page.content.decode()


def test_a_lead_without_a_signal_says_so(log_in):
    page = open_page(log_in(make_manager()), make_plain_lead("acme"))

    assert "This lead has no signal" in page.content.decode()


def test_the_owner_moves_the_lead(log_in):
    rosa = make_rep("rosa")
    lead = make_lead("acme")

    page = post(log_in(find_person(rosa)), lead, "move", to_stage="contacted", reason="").content.decode()

    assert "This lead is contacted now." in page
    assert Lead.objects.get().stage == "contacted"
    assert lead.transitions.latest("pk").actor_id == rosa.user_id
    assert list(invariants.check()) == []


def test_losing_without_a_reason_is_refused_in_words(log_in):
    page = post(log_in(make_manager()), lead := make_plain_lead("acme"), "move", to_stage="lost").content.decode()

    assert "Say why the lead is lost." in page
    assert lead.transitions.count() == 1


def test_clicking_twice_is_no_error(log_in):
    lead, client = make_plain_lead("acme"), log_in(make_manager())
    post(client, lead, "move", to_stage="contacted")

    assert "This lead is contacted now." in post(client, lead, "move", to_stage="contacted").content.decode()
    assert lead.transitions.count() == 2


def test_a_stage_that_is_not_offered_is_refused(log_in):
    page = post(log_in(make_manager()), lead := make_plain_lead("acme"), "move", to_stage="thinking").content.decode()

    assert "thinking is not one of the available choices" in page
    assert Lead.objects.get(pk=lead.pk).stage == "new"


def test_a_note_is_written_and_shown_escaped(log_in):
    lead = make_lead("acme")

    page = post(log_in(make_manager()), lead, "note", text="<script>alert(1)</script>").content.decode()

    assert "Note added." in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page


@pytest.mark.parametrize("text", ["", "   ", "x" * 5001, "nul\x00"])
def test_a_bad_note_is_refused_and_nothing_written(log_in, text):
    page = post(log_in(make_manager()), make_plain_lead("acme"), "note", text=text)

    assert page.status_code == 200
    assert "errornote" in page.content.decode() or 'class="error"' in page.content.decode()
    assert not Activity.objects.exists()


def test_a_manager_assigns_from_the_page(log_in):
    rosa = make_rep("rosa", is_present=False)
    lead = make_plain_lead("acme")

    assert "Given to Rosa." in post(log_in(make_manager()), lead, "assign", rep=rosa.id).content.decode()
    assert Lead.objects.get().rep_id == rosa.id


def test_a_rep_takes_a_lead_from_the_page(log_in):
    rosa = make_rep("rosa", is_present=False)
    lead, client = make_lead("acme"), log_in(find_person(rosa))
    assert "Take this lead" in open_page(client, lead).content.decode()

    page = post(client, lead, "take").content.decode()

    assert "This lead is yours now." in page
    assert "Take this lead" not in page


def test_a_closed_lead_offers_a_note_and_nothing_else(log_in):
    lead = make_lead("acme")
    move_lead(lead_id=lead.pk, to_stage="lost", actor_id=None, at=JUNE_11, reason="moved in-house")

    answer = open_page(log_in(make_manager()), lead)

    assert answer.context["note_form"] is not None
    assert (answer.context["move_form"], answer.context["assign_form"], answer.context["may_take"]) == (
        None,
        None,
        False,
    )
    assert "moved in-house" in answer.content.decode()


@pytest.mark.parametrize("verb", ["assign", "take", "move", "note"])
def test_verbs_need_the_csrf_token(verb):
    lead, client = make_plain_lead("acme"), Client(enforce_csrf_checks=True)
    client.force_login(make_manager())

    assert client.post(reverse(f"admin:crm_lead_{verb}", args=[lead.pk]), {"text": "x"}).status_code == 403
    assert not Activity.objects.exists()
