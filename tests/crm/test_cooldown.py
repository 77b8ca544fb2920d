from datetime import timedelta

import pytest

from crm import invariants
from crm.leads import CooledFact, list_cooled, move_lead, open_leads
from crm.models import Lead, Signal
from metering.models import Alert
from tests.crm.makers import JUNE_10, JUNE_11, JUNE_12, find_customer, make_lead, make_rep, raise_alert

pytestmark = pytest.mark.django_db


@pytest.fixture
def lost():
    """A lead about 80 %, lost on 11 June."""
    make_rep("rosa")
    lead = make_lead("acme", count=210)
    move_lead(lead_id=lead.pk, to_stage="lost", actor_id=None, at=JUNE_11, reason="no budget")
    return lead


def test_the_same_again_soon_after_a_loss_opens_nothing_and_is_kept_as_cooled(lost):
    alert = raise_alert(find_customer(lost), at=JUNE_12, arming=2)

    assert open_leads(at=JUNE_12) == 1

    assert Lead.objects.get() == lost
    cooled = Signal.objects.get(is_cooled=True)
    assert (cooled.lead_id, cooled.alert_id, cooled.created_at) == (lost.pk, alert.pk, JUNE_12)
    assert list_cooled([lost.account_id]) == [CooledFact(alert.pk, lost.pk, lost.account_id, JUNE_12)]
    assert Alert.objects.filter(claimed_at=None).count() == 0
    assert list(invariants.check()) == []


@pytest.mark.parametrize(
    "worse",
    [
        {"level": 100, "severity": "critical"},
        {"level": 90},
        {"level": 100, "kind": "forecast"},
        {"kind": "spend", "unit": "absolute", "level": 5, "severity": "critical", "subject": "EUR"},
    ],
    ids=["reached", "further", "expected", "critical"],
)
def test_what_is_worse_opens_a_lead(lost, worse):
    raise_alert(find_customer(lost), at=JUNE_12, **worse)

    open_leads(at=JUNE_12)

    assert Lead.objects.filter(closed_at=None).count() == 1
    assert not Signal.objects.filter(is_cooled=True).exists()
    assert list(invariants.check()) == []


@pytest.mark.parametrize(
    "milder",
    [
        {"kind": "commitment", "level": 70, "severity": "info", "subject": "sub"},
        {"kind": "anomaly", "unit": "absolute", "level": 7, "subject": "spike"},
    ],
    ids=["information", "no limit"],
)
def test_what_is_no_worse_cools_whatever_it_is_about(lost, milder):
    raise_alert(find_customer(lost), at=JUNE_12, **milder)

    open_leads(at=JUNE_12)

    assert Signal.objects.filter(is_cooled=True).count() == 1


@pytest.mark.parametrize(("minutes", "opened"), [(-1, 0), (0, 1)])
def test_it_cools_for_thirty_days_from_the_loss(lost, minutes, opened):
    at = JUNE_11 + timedelta(days=30, minutes=minutes)
    raise_alert(find_customer(lost), at=at, arming=2, starts_at=JUNE_10, ends_at=at + timedelta(days=9))

    open_leads(at=at)

    assert Lead.objects.filter(closed_at=None).count() == opened


def test_a_vendor_may_let_it_cool_for_another_time(lost, settings):
    settings.LEAD_COOLDOWN_DAYS = 0
    raise_alert(find_customer(lost), at=JUNE_12, arming=2)

    open_leads(at=JUNE_12)

    assert Lead.objects.filter(closed_at=None).count() == 1


def test_a_won_lead_does_not_cool():
    lead = make_lead("acme", count=210)
    move_lead(lead_id=lead.pk, to_stage="won", actor_id=None, at=JUNE_11)
    raise_alert(find_customer(lead), at=JUNE_12, arming=2)

    open_leads(at=JUNE_12)

    assert Lead.objects.filter(closed_at=None).count() == 1


def test_an_alert_from_before_the_loss_that_was_not_taken_up_yet_cools_too(lost):
    raise_alert(find_customer(lost), at=JUNE_10, arming=2)

    open_leads(at=JUNE_12)

    assert Signal.objects.filter(is_cooled=True).count() == 1
