import pytest
from django.contrib.auth import get_user_model
from django.db.models import ProtectedError

from crm import invariants
from crm.leads import LeadIsClosed, LeadIsTaken, UnknownRep, assign_lead, assign_queue, move_lead, open_leads, take_lead
from crm.models import Activity, Lead, RepProfile
from crm.reps import create_rep, set_presence
from tests.crm.makers import (
    JUNE_10,
    JUNE_11,
    JUNE_12,
    find_customer,
    find_person,
    make_customer,
    make_given_lead,
    make_lead,
    make_manager,
    make_rep,
    make_user,
    use,
)

pytestmark = pytest.mark.django_db


def find_wrong_reps():
    return [found for found in invariants.check() if found.rule == "a lead's rep is whom it was last given to"]


def owners(*leads):
    return [Lead.objects.get(pk=lead.pk).rep_id for lead in leads]


def test_a_new_lead_goes_to_the_least_loaded_rep():
    rosa = make_rep("rosa")
    make_lead("one"), make_lead("two")
    paul = make_rep("paul")

    assert owners(make_lead("three"), make_lead("four")) == [paul.id, paul.id]
    assert Lead.objects.filter(rep_id=rosa.id).count() == 2


def test_closed_leads_are_no_load():
    rosa, paul = make_rep("rosa"), make_rep("paul")
    first, second = make_given_lead("one"), make_given_lead("two")
    assert owners(first, second) == [rosa.id, paul.id]
    move_lead(lead_id=second.pk, to_stage="won", actor_id=None, at=JUNE_11)

    assert owners(make_given_lead("three")) == [paul.id]


def test_among_equally_loaded_reps_who_waited_longest_is_next():
    rosa, paul = make_rep("rosa"), make_rep("paul")
    early, late = make_given_lead("one", at=JUNE_10), make_given_lead("two", at=JUNE_11)
    assert owners(early, late) == [rosa.id, paul.id]
    RepProfile.objects.filter(pk=rosa.id).update(last_given_at=JUNE_12)

    assert owners(make_given_lead("three", at=JUNE_12)) == [paul.id]


def test_who_was_never_given_one_waited_longest():
    RepProfile.objects.filter(pk=make_rep("rosa").id).update(last_given_at=JUNE_10)
    paul = make_rep("paul")

    assert owners(make_given_lead("one")) == [paul.id]


def test_among_reps_alike_in_all_the_smallest_id_is_next():
    rosa = make_rep("rosa")
    make_rep("paul")

    assert owners(make_given_lead("one")) == [rosa.id]


def test_leads_of_one_batch_are_spread():
    rosa, paul = make_rep("rosa"), make_rep("paul")
    for number in range(4):
        use(make_customer(f"customer-{number}"), 260)
    open_leads(at=JUNE_11)

    assert Lead.objects.filter(rep_id=rosa.id).count() == 2
    assert Lead.objects.filter(rep_id=paul.id).count() == 2
    assert find_wrong_reps() == []


def test_who_is_away_gets_none():
    make_rep("rosa", is_present=False)
    paul = make_rep("paul")

    assert owners(make_given_lead("one"), make_given_lead("two")) == [paul.id, paul.id]


@pytest.mark.parametrize("field", ["is_active", "is_staff"])
def test_who_cannot_enter_the_back_office_gets_none(field):
    rosa = make_rep("rosa")
    get_user_model().objects.filter(pk=rosa.user_id).update(**{field: False})

    assert owners(make_given_lead("one")) == [None]


def test_with_nobody_present_the_lead_waits_in_the_queue():
    make_rep("rosa", is_present=False)

    assert owners(make_lead("one")) == [None]
    assert not Activity.objects.exists()
    assert find_wrong_reps() == []


def test_a_joining_signal_leaves_the_lead_with_its_rep():
    rosa = make_rep("rosa")
    lead = make_lead("one", count=210)
    make_rep("paul")
    use(find_customer(lead), 50, at=JUNE_11, batch="b")
    open_leads(at=JUNE_11)

    assert owners(lead) == [rosa.id]
    assert lead.activities.count() == 1


def test_an_assignment_says_who_got_it_and_that_nobody_decided():
    rosa = make_rep("rosa")
    lead = make_given_lead("one")

    [given] = Activity.objects.all()
    assert (given.lead_id, given.kind, given.rep_id, given.actor_id) == (lead.pk, "assignment", rosa.id, None)
    assert RepProfile.objects.get().last_given_at == JUNE_10


def test_the_queue_is_given_out_worst_first_when_somebody_comes_in():
    rosa, paul = make_rep("rosa", is_present=False), make_rep("paul", is_present=False)
    mild, hot = make_given_lead("mild", level=80), make_given_lead("hot")
    assert assign_queue(at=JUNE_11) == 0
    RepProfile.objects.update(is_present=True)

    assert assign_queue(at=JUNE_11) == 2

    assert owners(hot, mild) == [rosa.id, paul.id]
    assert assign_queue(at=JUNE_12) == 0
    assert find_wrong_reps() == []


def test_coming_in_empties_the_queue():
    rosa = make_rep("rosa", is_present=False)
    lead = make_given_lead("one")

    assert set_presence(rep_id=rosa.id, is_present=True, at=JUNE_11).is_present is True

    assert owners(lead) == [rosa.id]


def test_going_away_keeps_what_one_has():
    rosa = make_rep("rosa")
    lead = make_given_lead("one")

    set_presence(rep_id=rosa.id, is_present=False, at=JUNE_11)

    assert owners(lead) == [rosa.id]


def test_presence_of_nobody_is_refused():
    with pytest.raises(UnknownRep):
        set_presence(rep_id=4711, is_present=True, at=JUNE_11)


def test_a_user_becomes_a_rep_once():
    user = make_user("rosa")

    assert create_rep(user_id=user.pk) == create_rep(user_id=user.pk, is_present=False)


def test_every_run_gives_out_what_waits_also_without_new_alerts():
    rosa = make_rep("rosa", is_present=False)
    lead = make_lead("one")
    RepProfile.objects.update(is_present=True)

    assert open_leads(at=JUNE_11) == 0
    assert owners(lead) == [rosa.id]


def test_the_queue_is_emptied_in_batches(monkeypatch):
    monkeypatch.setattr("crm.assignment.QUEUE_BATCH", 2)
    make_rep("rosa", is_present=False)
    for number in range(5):
        make_given_lead(f"customer-{number}")
    RepProfile.objects.update(is_present=True)

    assert assign_queue(at=JUNE_11) == 5


def test_a_manager_gives_a_lead_to_anyone_also_to_who_is_away():
    make_rep("rosa")
    paul = make_rep("paul", is_present=False)
    lead, mona = make_given_lead("one"), make_manager()

    assert assign_lead(lead_id=lead.pk, rep_id=paul.id, actor_id=mona.pk, at=JUNE_11).rep_id == paul.id

    last = Activity.objects.latest("pk")
    assert (last.rep_id, last.actor_id, last.created_at) == (paul.id, mona.pk, JUNE_11)
    assert find_wrong_reps() == []


def test_giving_it_to_who_has_it_changes_nothing():
    rosa = make_rep("rosa")
    lead = make_given_lead("one")

    assign_lead(lead_id=lead.pk, rep_id=rosa.id, actor_id=None, at=JUNE_12)

    assert Activity.objects.count() == 1
    assert RepProfile.objects.get().last_given_at == JUNE_10


def test_a_closed_lead_is_given_to_nobody():
    rosa = make_rep("rosa", is_present=False)
    lead = make_given_lead("one")
    move_lead(lead_id=lead.pk, to_stage="won", actor_id=None, at=JUNE_11)

    with pytest.raises(LeadIsClosed):
        assign_lead(lead_id=lead.pk, rep_id=rosa.id, actor_id=None, at=JUNE_12)
    assert owners(lead) == [None]


def test_a_lead_is_not_given_to_who_left():
    rosa = make_rep("rosa", is_present=False)
    get_user_model().objects.filter(pk=rosa.user_id).update(is_active=False)
    lead = make_given_lead("one")

    with pytest.raises(UnknownRep):
        assign_lead(lead_id=lead.pk, rep_id=rosa.id, actor_id=None, at=JUNE_11)
    assert owners(lead) == [None]


def test_a_rep_takes_a_lead_from_the_queue_once():
    rosa = make_rep("rosa", is_present=False)
    lead = make_given_lead("one")

    first = take_lead(lead_id=lead.pk, user_id=rosa.user_id, at=JUNE_11)

    assert first.rep_id == rosa.id
    assert take_lead(lead_id=lead.pk, user_id=rosa.user_id, at=JUNE_12) == first
    assert Activity.objects.count() == 1


def test_a_colleagues_lead_cannot_be_taken():
    rosa, paul = make_rep("rosa"), make_rep("paul", is_present=False)
    lead = make_given_lead("one")

    with pytest.raises(LeadIsTaken):
        take_lead(lead_id=lead.pk, user_id=paul.user_id, at=JUNE_11)
    assert owners(lead) == [rosa.id]


def test_who_is_no_rep_takes_nothing():
    lead, mona = make_given_lead("one"), make_manager()

    with pytest.raises(UnknownRep):
        take_lead(lead_id=lead.pk, user_id=mona.pk, at=JUNE_11)
    assert owners(lead) == [None]


def test_a_person_who_was_given_leads_cannot_be_deleted():
    rosa = make_rep("rosa")
    make_given_lead("one")

    with pytest.raises(ProtectedError):
        find_person(rosa).delete()
