from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from crm import invariants
from crm.leads import (
    LeadNotOpened,
    UnknownLead,
    list_leads,
    list_open_leads,
    move_lead,
    open_leads,
    read_lead,
)
from crm.models import Activity, Lead, Priority, Severity, Signal, Transition
from crm.reps import set_presence
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
    make_rep,
    make_user,
    use,
)

pytestmark = pytest.mark.django_db


def test_a_reached_level_opens_a_lead_with_one_signal():
    account = make_customer("acme")
    use(account, 210)

    assert open_leads(at=JUNE_11) == 1

    [lead] = Lead.objects.all()
    assert (lead.account_id, lead.stage, lead.level) == (account.id, "new", Decimal(80))
    assert (lead.severity, lead.priority) == (Severity.WARNING, Priority.NORMAL)
    assert (lead.opened_at, lead.closed_at, lead.rep_id) == (JUNE_11, None, None)
    assert Signal.objects.get().alert_id == Alert.objects.get().pk
    assert list(invariants.check()) == []


def test_an_opened_lead_says_where_it_comes_from_in_its_history():
    lead = make_lead("acme")

    [move] = Transition.objects.all()
    assert (move.lead_id, move.from_stage, move.to_stage, move.actor_id) == (lead.pk, "", "new", None)
    assert move.moved_at == JUNE_10


def test_usage_below_every_level_opens_nothing():
    use(make_customer("acme"), 199)

    assert open_leads(at=JUNE_11) == 0
    assert not Lead.objects.exists()


def test_a_second_run_finds_nothing():
    make_lead("acme")

    assert open_leads(at=JUNE_11) == 0
    assert (Lead.objects.count(), Signal.objects.count()) == (1, 1)


def test_the_next_level_joins_the_open_lead_and_raises_it():
    lead = make_lead("acme", count=210)
    use(find_customer(lead), 50, at=JUNE_11, batch="b")

    assert open_leads(at=JUNE_12) == 1

    lead.refresh_from_db()
    assert (lead.severity, lead.level, lead.priority) == (Severity.CRITICAL, Decimal(100), Priority.HIGH)
    assert lead.signals.count() == 2
    assert Lead.objects.count() == 1
    assert list(invariants.check()) == []


def test_two_alerts_of_one_batch_share_the_lead():
    account = make_customer("acme")
    use(account, 210, at=JUNE_10)
    use(account, 50, at=JUNE_11, batch="b")

    assert open_leads(at=JUNE_12) == 2

    [lead] = Lead.objects.all()
    assert (lead.level, lead.signals.count(), lead.transitions.count()) == (Decimal(100), 2, 1)
    assert list(invariants.check()) == []


def test_a_superseded_level_is_no_signal():
    lead = make_lead("acme", count=260)

    assert list(Alert.objects.order_by("level").values_list("level", "state")) == [
        (Decimal("80.00"), "superseded"),
        (Decimal("100.00"), "told"),
    ]
    assert lead.signals.count() == 1
    assert list(invariants.check()) == []


def test_each_account_gets_its_own_lead_worst_first():
    mild, hot = make_lead("mild", count=210), make_lead("hot", count=260)

    assert [fact.id for fact in list_open_leads()] == [hot.pk, mild.pk]


def test_what_comes_after_a_closed_lead_opens_a_new_one():
    first = make_lead("acme", count=210)
    move_lead(lead_id=first.pk, to_stage="lost", actor_id=None, at=JUNE_11, reason="no budget")
    use(find_customer(first), 50, at=JUNE_11, batch="b")

    assert open_leads(at=JUNE_12) == 1

    second = Lead.objects.get(closed_at=None)
    assert second.pk != first.pk
    assert (second.account_id, second.level, second.signals.count()) == (first.account_id, Decimal(100), 1)
    assert list(invariants.check()) == []


def test_more_alerts_than_a_batch_all_become_leads(monkeypatch):
    monkeypatch.setattr("crm.leads.ALERT_BATCH", 2)
    for number in range(5):
        use(make_customer(f"customer-{number}"), 201)

    assert open_leads(at=JUNE_11) == 5
    assert Lead.objects.count() == 5


def test_an_alert_stays_unclaimed_when_its_lead_cannot_be_written(monkeypatch):
    use(make_customer("acme"), 260)

    def fail(*_args, **_kwargs):
        raise IntegrityError("the disk is gone")

    monkeypatch.setattr("crm.leads.log_transition", fail)
    with pytest.raises(LeadNotOpened, match="no lead after 3 attempts"):
        open_leads(at=JUNE_11)
    monkeypatch.undo()

    assert Alert.objects.filter(claimed_at=None, state="told").count() == 1
    assert open_leads(at=JUNE_12) == 1
    assert list(invariants.check()) == []


def test_the_database_refuses_a_second_open_lead():
    lead = make_lead("acme")

    with pytest.raises(IntegrityError, match="lead_one_open_per_account"), transaction.atomic():
        Lead.objects.create(account_id=lead.account_id, severity=Severity.WARNING, opened_at=JUNE_11)


@pytest.mark.parametrize("model", [Signal, Transition, Activity])
def test_history_is_neither_changed_nor_deleted(model):
    make_rep("rosa")
    make_lead("acme")
    assert model.objects.count() == 1

    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        model.objects.update(lead_id=1)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        model.objects.all()._raw_delete("default")
    assert model.objects.count() == 1


def test_a_closed_lead_is_not_reopened_behind_the_code():
    lead = make_lead("acme")
    move_lead(lead_id=lead.pk, to_stage="won", actor_id=None, at=JUNE_11)

    with pytest.raises(IntegrityError, match="is closed"), transaction.atomic():
        Lead.objects.update(stage="new", closed_at=None)


def test_an_unknown_lead_is_said_to_be_unknown():
    with pytest.raises(UnknownLead):
        read_lead(4711)


def test_a_rep_lists_their_own_leads_and_the_queue_and_a_manager_all():
    rosa, paul = make_rep("rosa"), make_rep("paul", is_present=False)
    own = make_lead("own")
    set_presence(rep_id=rosa.id, is_present=False, at=JUNE_10)
    queued = make_lead("queued")

    assert {fact.id for fact in list_leads(person=find_person(rosa))} == {own.pk, queued.pk}
    assert {fact.id for fact in list_leads(person=find_person(paul))} == {queued.pk}
    assert {fact.id for fact in list_leads(person=make_manager())} == {own.pk, queued.pk}
    assert list_leads(person=make_user("stranger")) == []
