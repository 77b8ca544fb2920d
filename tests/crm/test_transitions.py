import pytest

from crm import invariants
from crm.leads import MoveNotAllowed, ReasonMissing, UnknownLead, add_note, move_lead, read_lead
from crm.models import Activity, Lead, Stage, Transition
from crm.notes import EmptyNote, NoteTooLong
from crm.transitions import MOVES
from tests.crm.makers import JUNE_11, JUNE_12, make_plain_lead, make_user

pytestmark = pytest.mark.django_db


def move(lead, to_stage, *, reason="", actor_id=None, at=JUNE_11):
    return move_lead(lead_id=lead.pk, to_stage=to_stage, actor_id=actor_id, at=at, reason=reason)


def test_a_move_is_written_into_the_history_with_who_and_when():
    lead, rosa = make_plain_lead("acme"), make_user("rosa")

    fact = move(lead, "contacted", actor_id=rosa.pk, reason=" by phone ")

    assert (fact.stage, fact.is_open) == ("contacted", True)
    last = Transition.objects.latest("pk")
    assert (last.from_stage, last.to_stage, last.actor_id, last.reason) == ("new", "contacted", rosa.pk, "by phone")
    assert last.moved_at == JUNE_11
    assert list(invariants.check_steps()) == []


def test_moving_where_the_lead_is_already_changes_nothing():
    lead = make_plain_lead("acme")
    first = move(lead, "contacted")

    assert move(lead, "contacted", at=JUNE_12) == first
    assert Transition.objects.count() == 2


def test_winning_closes_the_lead():
    fact = move(make_plain_lead("acme"), "won")

    assert (fact.stage, fact.closed_at, fact.is_open, fact.lost_reason) == ("won", JUNE_11, False, "")


def test_losing_closes_the_lead_and_keeps_the_reason():
    fact = move(make_plain_lead("acme"), "lost", reason="went to a competitor")

    assert (fact.stage, fact.closed_at, fact.lost_reason) == ("lost", JUNE_11, "went to a competitor")


def test_losing_without_a_reason_is_refused_and_changes_nothing():
    lead = make_plain_lead("acme")

    with pytest.raises(ReasonMissing):
        move(lead, "lost", reason="   ")

    assert read_lead(lead.pk).stage == "new"
    assert Transition.objects.count() == 1


def test_winning_twice_keeps_the_first_time():
    lead = make_plain_lead("acme")
    move(lead, "won")

    assert move(lead, "won", at=JUNE_12).closed_at == JUNE_11


def test_an_unknown_stage_is_refused():
    with pytest.raises(MoveNotAllowed, match="no such stage"):
        move(make_plain_lead("acme"), "thinking")


def test_an_unknown_lead_cannot_move():
    with pytest.raises(UnknownLead):
        move_lead(lead_id=4711, to_stage="won", actor_id=None, at=JUNE_11)


def reach(lead, stage):
    """Bring a new lead to a stage by allowed moves alone."""
    if stage != Stage.NEW:
        move(lead, stage, reason="so it is")


@pytest.mark.parametrize("start", Stage.values)
@pytest.mark.parametrize("end", Stage.values)
def test_exactly_the_moves_of_the_table_are_allowed(start, end):
    lead = make_plain_lead("acme")
    reach(lead, start)

    if end == start or end in MOVES[start]:
        assert move(lead, end, reason="so it is", at=JUNE_12).stage == end
    else:
        with pytest.raises(MoveNotAllowed):
            move(lead, end, reason="so it is", at=JUNE_12)
        assert Lead.objects.get().stage == start
    assert list(invariants.check_steps()) == []


def test_nothing_leads_out_of_a_closed_stage_nor_back_to_new():
    assert (MOVES["won"], MOVES["lost"]) == ((), ())
    assert all(Stage.NEW not in ends for ends in MOVES.values())


def test_a_note_is_kept_with_its_author():
    lead, rosa = make_plain_lead("acme"), make_user("rosa")

    add_note(lead_id=lead.pk, text="  Call back on Friday.\n", actor_id=rosa.pk, at=JUNE_11)

    [note] = Activity.objects.filter(kind="note")
    assert (note.lead_id, note.text, note.actor_id, note.created_at) == (
        lead.pk,
        "Call back on Friday.",
        rosa.pk,
        JUNE_11,
    )


def test_a_note_may_follow_after_the_lead_is_closed():
    lead = make_plain_lead("acme")
    move(lead, "won")

    add_note(lead_id=lead.pk, text="They signed.", actor_id=None, at=JUNE_12)

    assert lead.activities.filter(kind="note").count() == 1


@pytest.mark.parametrize(("text", "error"), [(" \n ", EmptyNote), ("x" * 5001, NoteTooLong)])
def test_a_note_says_something_and_not_too_much(text, error):
    lead = make_plain_lead("acme")

    with pytest.raises(error):
        add_note(lead_id=lead.pk, text=text, actor_id=None, at=JUNE_11)

    assert not lead.activities.exists()
