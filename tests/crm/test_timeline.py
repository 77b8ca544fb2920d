import pytest

from crm.leads import add_note, assign_lead, move_lead, open_leads, take_lead
from crm.timeline import list_entries
from tests.crm.makers import (
    JUNE_10,
    JUNE_11,
    JUNE_12,
    find_customer,
    make_lead,
    make_manager,
    make_rep,
    make_user,
    use,
)

pytestmark = pytest.mark.django_db


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
        ("signal", "Requests reached 100\xa0%", "260 of 250, 104\xa0%", ""),
        ("assignment", "Given to Paul", "", "Mona"),
        ("assignment", "Given to Rosa", "", ""),
        ("move", "Lead opened", "", ""),
        ("signal", "Requests reached 80\xa0%", "210 of 250, 84\xa0%", ""),
    ]


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

    with django_assert_num_queries(3):
        assert len(list_entries(lead.pk)) == 22
