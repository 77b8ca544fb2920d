import pytest

from crm.leads import add_note, move_lead, open_leads, take_lead
from metering.models import Alert
from tests.crm.makers import JUNE_10, JUNE_11, JUNE_12, find_customer, make_lead, make_rep, raise_alert

pytestmark = pytest.mark.django_db


@pytest.fixture
def rosa():
    return make_rep("rosa", is_present=False)


def list_acted_on(lead):
    return list(Alert.objects.filter(account_id=lead.account_id, state="told").values_list("acted_on_at", flat=True))


TOUCHES = {
    "move": lambda lead, rep: move_lead(lead_id=lead.pk, to_stage="contacted", actor_id=rep.user_id, at=JUNE_11),
    "note": lambda lead, rep: add_note(lead_id=lead.pk, text="Called.", actor_id=rep.user_id, at=JUNE_11),
    "take": lambda lead, rep: take_lead(lead_id=lead.pk, user_id=rep.user_id, at=JUNE_11),
}


@pytest.mark.parametrize("touch", TOUCHES.values(), ids=TOUCHES)
def test_the_first_touch_of_a_person_is_kept_on_the_alerts(rosa, touch):
    lead = make_lead("acme", count=210)

    touch(lead, rosa)
    add_note(lead_id=lead.pk, text="Called again.", actor_id=rosa.user_id, at=JUNE_12)

    assert list_acted_on(lead) == [JUNE_11]


def test_what_the_rules_do_is_no_touch(rosa):
    lead = make_lead("acme", count=210)
    move_lead(lead_id=lead.pk, to_stage="lost", actor_id=None, at=JUNE_11, reason="gone")

    assert list_acted_on(lead) == [None]


def test_an_alert_that_joins_later_is_acted_on_by_the_next_touch(rosa):
    lead = make_lead("acme", count=210)
    take_lead(lead_id=lead.pk, user_id=rosa.user_id, at=JUNE_10)
    raise_alert(find_customer(lead), level=100, at=JUNE_11)
    open_leads(at=JUNE_11)
    add_note(lead_id=lead.pk, text="Called.", actor_id=rosa.user_id, at=JUNE_12)

    assert list_acted_on(lead) == [JUNE_10, JUNE_12]
