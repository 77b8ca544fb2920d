"""What happens when two do it at once, and what would happen without the constraint or the lock that prevents it."""

import threading
from contextlib import suppress

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet

from crm import assignment, invariants, leads
from crm.assignment import give_out
from crm.leads import LeadIsTaken, open_batch, open_leads, take_lead
from crm.models import Activity, Lead, RepProfile, Signal
from tests.crm.makers import JUNE_10, JUNE_11, make_customer, make_lead, make_rep, run_together, use

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def two_alerts(monkeypatch):
    """Two alerts of one account, handed out one at a time, and two who both look before either has opened a lead."""
    account = make_customer("acme")
    use(account, 210)
    use(account, 50, batch="b")
    monkeypatch.setattr(leads, "ALERT_BATCH", 1)
    both_looked, looked = threading.Barrier(2, timeout=10), threading.local()
    find_open_lead = leads.find_open_lead

    def find_when_both_look(account_id):
        lead = find_open_lead(account_id)
        if not hasattr(looked, "once"):
            looked.once = True
            both_looked.wait()
        return lead

    monkeypatch.setattr(leads, "find_open_lead", find_when_both_look)


def open_one():
    return open_batch(at=JUNE_11)


def test_two_who_open_a_lead_at_once_share_one(two_alerts):
    assert run_together(open_one, open_one) == [1, 1]

    [lead] = Lead.objects.all()
    assert (lead.level, lead.signals.count(), lead.transitions.count()) == (100, 2, 1)
    assert list(invariants.check()) == []


def test_without_the_constraint_two_would_open_two_leads(two_alerts):
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'lead_one_open_per_account'")
        [definition] = cursor.fetchone()
        cursor.execute("DROP INDEX lead_one_open_per_account")
        try:
            run_together(open_one, open_one)
            assert Lead.objects.count() == 2
            assert [found.rule for found in invariants.check()] == ["one open lead per account"]
        finally:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute("DELETE FROM crm_signal; DELETE FROM crm_transition; DELETE FROM crm_lead")
            cursor.execute("SET session_replication_role = origin")
            cursor.execute(definition)


def test_many_runs_at_once_give_each_account_one_lead_and_each_alert_one_signal(monkeypatch):
    monkeypatch.setattr(leads, "ALERT_BATCH", 3)
    rosa, paul = make_rep("rosa"), make_rep("paul")
    for number in range(12):
        account = make_customer(f"customer-{number}")
        use(account, 210)
        use(account, 50, batch="b")

    taken = run_together(*[lambda: open_leads(at=JUNE_11)] * 3)

    assert sum(taken) == 24
    assert (Lead.objects.count(), Signal.objects.count()) == (12, 24)
    assert Lead.objects.filter(rep_id=rosa.id).count() == 6
    assert Lead.objects.filter(rep_id=paul.id).count() == 6
    assert list(invariants.check()) == []


@pytest.fixture
def two_waiting(monkeypatch):
    """Two leads in the queue, two idle reps, and two who each give one lead out: each waits for the other's count."""
    waiting = [make_lead("one"), make_lead("two")]
    make_rep("rosa"), make_rep("paul")
    both_counted = threading.Barrier(2, timeout=0.5)
    count_open_leads = assignment.count_open_leads

    def count_when_both_count(reps):
        loads = count_open_leads(reps)
        with suppress(threading.BrokenBarrierError):  # the other one waits for our lock, so it will not come
            both_counted.wait()
        return loads

    monkeypatch.setattr(assignment, "count_open_leads", count_when_both_count)
    return waiting


def give_one(lead):
    with transaction.atomic():
        give_out([lead], at=JUNE_11)


def count_leads():
    return sorted(Lead.objects.filter(rep=rep).count() for rep in RepProfile.objects.all())


def test_two_who_assign_at_once_do_not_both_pick_the_idle_rep(two_waiting):
    one, two = two_waiting
    run_together(lambda: give_one(one), lambda: give_one(two))

    assert count_leads() == [1, 1]
    assert list(invariants.check()) == []


def test_without_the_lock_both_would_pick_the_same_rep(two_waiting, monkeypatch):
    monkeypatch.setattr(QuerySet, "select_for_update", lambda self, **_options: self)
    one, two = two_waiting
    run_together(lambda: give_one(one), lambda: give_one(two))

    assert count_leads() == [0, 2]


@pytest.fixture
def two_takers(monkeypatch):
    """A lead in the queue, and two reps who both have it before their eyes when they take it."""
    lead = make_lead("acme")
    rosa, paul = make_rep("rosa", is_present=False), make_rep("paul", is_present=False)
    both_looked = threading.Barrier(2, timeout=0.5)
    lock_lead = assignment.lock_lead

    def lock_when_both_look(lead_id):
        locked = lock_lead(lead_id)
        with suppress(threading.BrokenBarrierError):
            both_looked.wait()
        return locked

    monkeypatch.setattr(assignment, "lock_lead", lock_when_both_look)

    def take(rep):
        try:
            return take_lead(lead_id=lead.pk, user_id=rep.user_id, at=JUNE_10).rep_id
        except LeadIsTaken:
            return None

    return [lambda: take(rosa), lambda: take(paul)]


def test_of_two_who_take_a_lead_one_gets_it_and_the_other_is_told(two_takers):
    took = run_together(*two_takers)

    [given] = Activity.objects.all()
    assert sorted(took, key=str) == sorted([given.rep_id, None], key=str)
    assert Lead.objects.get().rep_id == given.rep_id


def test_without_the_lock_both_would_believe_they_have_it(two_takers, monkeypatch):
    monkeypatch.setattr(QuerySet, "select_for_update", lambda self, **_options: self)
    took = run_together(*two_takers)

    assert None not in took
    assert Activity.objects.count() == 2


def test_a_run_that_is_killed_midway_leaves_its_alerts_to_the_next(monkeypatch):
    use(make_customer("acme"), 260)
    use(make_customer("brook"), 260)
    freeze_evidence = leads.freeze_evidence

    def freeze_once_then_die(evidence):
        if Lead.objects.count() == 2:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return freeze_evidence(evidence)

    monkeypatch.setattr(leads, "freeze_evidence", freeze_once_then_die)
    with pytest.raises(DatabaseError):
        run_together(lambda: open_leads(at=JUNE_11))
    monkeypatch.undo()
    assert not Lead.objects.exists()

    assert open_leads(at=JUNE_11) == 2
    assert (Lead.objects.count(), Signal.objects.count()) == (2, 2)
    assert list(invariants.check()) == []
