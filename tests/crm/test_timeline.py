import pytest
from django.db import transaction

from crm.leads import add_note, assign_lead, move_lead, open_leads, take_lead
from crm.timeline import list_entries
from crm.transitions import BY_UPGRADE, change_stage
from metering.alerts import list_alerts
from metering.notices.words import word_alert
from tests.crm.makers import (
    JUNE_10,
    JUNE_11,
    JUNE_12,
    find_customer,
    make_lead,
    make_manager,
    make_rep,
    make_user,
    raise_alert,
    resolve_alerts,
    use,
)

pytestmark = pytest.mark.django_db


def tell(account_id, *, level):
    """The words in which everybody was told that the account reached this level."""
    [alert] = [each for each in list_alerts([account_id]) if each.level == level][:1]
    words = word_alert(alert)
    return words.title, words.sentence


def test_everything_stands_on_one_timeline_latest_first():
    make_rep("rosa")
    lead, mona = make_lead("acme", count=210), make_manager()
    paul = make_rep("paul", is_present=False)
    assign_lead(lead_id=lead.pk, rep_id=paul.id, actor_id=mona.pk, at=JUNE_11)
    use(find_customer(lead), 50, at=JUNE_11.replace(hour=14), batch="b")
    open_leads(at=JUNE_11.replace(hour=14))
    add_note(lead_id=lead.pk, text="No budget before autumn.", actor_id=paul.user_id, at=JUNE_12)
    move_lead(lead_id=lead.pk, to_stage="lost", actor_id=paul.user_id, at=JUNE_12.replace(hour=15), reason="no budget")

    entries = [(entry.kind, entry.title, entry.text, entry.who) for entry in list_entries(lead.pk)]

    assert entries == [
        ("move", "Moved from new to lost", "no budget", "Paul"),
        ("note", "Note", "No budget before autumn.", "Paul"),
        ("signal", *tell(lead.account_id, level=100), ""),
        ("assignment", "Given to Paul", "", "Mona"),
        ("assignment", "Given to Rosa", "", ""),
        ("move", "Lead opened", "", ""),
        ("signal", *tell(lead.account_id, level=80), ""),
    ]


def test_what_is_over_says_why():
    lead = make_lead("acme", count=210)
    resolve_alerts(find_customer(lead), at=JUNE_11, recovery="limit_changed")

    entry = list_entries(lead.pk)[0]
    assert (entry.at, entry.kind, entry.text) == (JUNE_11, "recovery", tell(lead.account_id, level=80)[0])
    assert entry.title == "The limit was changed: it is not reached any more."


def test_a_signal_that_cooled_says_that_it_opened_nothing():
    lead = make_lead("acme", count=210)
    move_lead(lead_id=lead.pk, to_stage="lost", actor_id=None, at=JUNE_11, reason="no budget")
    raise_alert(find_customer(lead), at=JUNE_12, arming=2)
    open_leads(at=JUNE_12)

    entry = list_entries(lead.pk)[0]
    assert (entry.at, entry.kind, entry.title) == (JUNE_12, "cooled", tell(lead.account_id, level=80)[0])
    assert entry.text.endswith("It came soon after the lead was lost and was no worse, so it opened none.")


def test_a_lead_that_an_upgrade_won_says_so_where_a_person_would_stand():
    lead = make_lead("acme", count=210)
    with transaction.atomic():
        change_stage(lead, to_stage="won", actor_id=None, reason=BY_UPGRADE, at=JUNE_11)

    entry = list_entries(lead.pk)[0]
    assert (entry.title, entry.who) == ("Moved from new to won", "")
    assert entry.text == "A larger plan cleared every alarm of the account."


def test_taking_from_the_queue_is_called_so():
    rosa = make_rep("rosa", is_present=False)
    lead = make_lead("acme")
    take_lead(lead_id=lead.pk, user_id=rosa.user_id, at=JUNE_11)

    entry = list_entries(lead.pk)[0]
    assert (entry.at, entry.title, entry.who) == (JUNE_11, "Taken from the queue", "Rosa")


def test_other_leads_stay_off_it():
    lead, other = make_lead("acme"), make_lead("other")
    add_note(lead_id=other.pk, text="not here", actor_id=make_user("una").pk, at=JUNE_10)

    assert "not here" not in [entry.text for entry in list_entries(lead.pk)]


def test_its_cost_does_not_grow_with_what_happened(django_assert_num_queries):
    lead, rosa = make_lead("acme"), make_user("rosa")
    for number in range(20):
        add_note(lead_id=lead.pk, text=f"note {number}", actor_id=rosa.pk, at=JUNE_11)

    with django_assert_num_queries(4):
        assert len(list_entries(lead.pk)) == 22
