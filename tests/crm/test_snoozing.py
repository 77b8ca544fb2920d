from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.urls import reverse

from crm.leads import LeadIsClosed, move_lead, open_leads
from crm.models import Lead
from crm.snoozing import SnoozeRefused, find_snooze, snooze_lead
from metering.alerts import list_snoozes
from metering.meters import find_meter
from metering.models import Alert
from tests.crm.makers import (
    JUNE_10,
    JUNE_11,
    JUNE_12,
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


def quiet(lead, **terms):
    return snooze_lead(lead_id=lead.pk, made_by="Rosa", actor_id=None, at=JUNE_11, **terms)


def test_a_snooze_keeps_silent_the_meter_that_the_lead_is_about():
    lead = make_lead("acme", count=210)

    made = quiet(lead, until=JUNE_12, reason="on holiday")

    [running] = list_snoozes([lead.account_id], at=JUNE_11)
    assert running == made == find_snooze(lead, at=JUNE_11)
    assert (made.meter_id, made.until, made.made_by) == (find_meter("requests").id, JUNE_12, "Rosa")
    assert find_snooze(lead, at=JUNE_12) is None


def test_a_lead_about_no_meter_keeps_silent_its_account():
    account = make_customer("acme")
    raise_alert(account, kind="credit", level=Decimal(20), used=Decimal(1), quantity=Decimal(10), subject="EUR")
    open_leads(at=JUNE_10)

    assert quiet(Lead.objects.get(account_id=account.id), until_level=Decimal(100)).meter_id is None


@pytest.mark.parametrize("terms", [{}, {"until": JUNE_11}, {"until": JUNE_11 - timedelta(days=1)}])
def test_a_snooze_without_an_end_ahead_is_refused(terms):
    with pytest.raises(SnoozeRefused):
        quiet(make_lead("acme", count=210), **terms)


def test_a_closed_lead_is_not_snoozed():
    lead = make_lead("acme", count=210)
    move_lead(lead_id=lead.pk, to_stage="won", actor_id=None, at=JUNE_11)

    with pytest.raises(LeadIsClosed):
        quiet(lead, until=JUNE_12)


def test_what_is_silent_joins_no_lead_and_what_is_worse_breaks_through():
    lead = make_lead("acme", count=210)
    quiet(lead, until=JUNE_12 + timedelta(days=9))
    use(find_customer(lead), 50, at=JUNE_12, batch="b")

    assert open_leads(at=JUNE_12) == 1
    assert lead.signals.count() == 2


@time_machine.travel(JUNE_11, tick=False)
def test_the_rep_snoozes_from_the_page_which_then_says_so(log_in):
    rosa = make_rep("rosa")
    lead = make_lead("acme", count=210)
    client = log_in(find_person(rosa))

    asked = {"until": "2026-07-02", "until_level": "90", "why": "asked to"}
    answer = client.post(reverse("admin:crm_lead_snooze", args=[lead.pk]), asked, follow=True)

    page = answer.content.decode()
    assert "Its alerts are silent now." in page
    assert "Snoozed by Rosa until Thu 2 Jul or until 90\xa0%. asked to" in page
    assert Alert.objects.get(state="told").acted_on_at == JUNE_11


@time_machine.travel(JUNE_11, tick=False)
def test_a_refused_snooze_says_why_in_words(log_in):
    lead = make_lead("acme", count=210)

    answer = log_in(make_manager()).post(reverse("admin:crm_lead_snooze", args=[lead.pk]), {}, follow=True)

    assert "Say until when, later than now, or until which level." in answer.content.decode()
    assert list_snoozes([lead.account_id], at=JUNE_11) == []


def test_somebody_elses_lead_is_not_there_to_be_snoozed(log_in):
    make_rep("rosa")
    lead = make_lead("acme", count=210)
    paul = make_rep("paul", is_present=False)

    answer = log_in(find_person(paul)).post(reverse("admin:crm_lead_snooze", args=[lead.pk]), {"until": "2036-07-02"})

    assert answer.status_code == 404
    assert list_snoozes([lead.account_id], at=JUNE_11) == []


def test_a_lead_without_a_signal_keeps_silent_its_account():
    assert quiet(make_plain_lead("acme"), until=JUNE_12).meter_id is None
