from datetime import timedelta

import pytest
from django.core import mail

from billing import dunning, invariants, invoicing, moves, profiles
from billing.models import Invoice, Reminder
from jobs.models import Job, JobState
from jobs.runner import run_job
from tests.billing.makers import FEB, make_subscription
from tests.billing.stripe.charging.makers import make_row
from tests.billing.threads import run_together

pytestmark = pytest.mark.django_db

FIRST, SECOND, LAST = (FEB + timedelta(days=days) for days in (17, 31, 45))
TICK = timedelta(microseconds=1)


@pytest.fixture
def invoice():
    """49.00 for January, issued on 1 February."""
    subscription = make_subscription()
    profiles.set_profile(account_id=subscription.account_id, legal_name="acme Ltd", email="pay@acme.example")
    return invoicing.close_period(subscription.period_id, at=FEB)


def run_all(at):
    for job in Job.objects.filter(kind=dunning.REMIND, state=JobState.QUEUED):
        run_job(job.pk, clock=lambda: at)


def read_state():
    return dunning.read_dunning(Invoice.objects.get()).value


def test_each_reminder_is_promised_on_its_day_and_sent_once(invoice):
    assert dunning.enqueue_reminders(FIRST - TICK) == 0
    assert (dunning.enqueue_reminders(FIRST), dunning.enqueue_reminders(FIRST)) == (1, 0)
    assert read_state() == "waiting"
    run_all(FIRST)
    assert read_state() == "reminded"
    assert dunning.enqueue_reminders(SECOND - TICK) == 0
    assert (mail.outbox[0].to, mail.outbox[0].subject) == (["pay@acme.example"], "Reminder: invoice 2026-000001")
    assert mail.outbox[0].body == "acme Ltd, of invoice 2026-000001 of 2026-02-01 €49.00 is still due."
    for at in (SECOND, LAST):
        assert dunning.enqueue_reminders(at) == 1
        run_all(at)
    assert (read_state(), Reminder.objects.count(), len(mail.outbox)) == ("exhausted", 3, 3)
    assert list(invariants.check()) == []


def test_of_reminders_that_are_overdue_only_the_last_goes_out(invoice):
    assert dunning.enqueue_reminders(LAST) == 1
    run_all(LAST)
    assert list(Reminder.objects.values_list("number", flat=True)) == [3]
    assert not dunning.remind(invoice.id, 1, at=LAST)


def test_what_was_paid_since_it_was_promised_is_not_reminded_of(invoice):
    dunning.enqueue_reminders(FIRST)
    moves.mark_paid(invoice.id, method="transfer", at=FIRST)
    run_all(FIRST)
    assert (read_state(), mail.outbox, Reminder.objects.count()) == ("settled", [], 0)
    assert dunning.enqueue_reminders(LAST) == 0


@pytest.mark.django_db(transaction=True)
def test_a_reminder_by_many_at_once_is_sent_once(invoice):
    results = run_together(*[lambda: dunning.remind(invoice.id, 1, at=FIRST)] * 4)
    assert sorted(results) == [False, False, False, True]
    assert len(mail.outbox) == 1


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"step": "held"}, "collecting"),
        ({"step": "stopped"}, "waiting"),
        ({"step": "finalised", "state": "open", "next_attempt_at": SECOND}, "collecting"),
        ({"step": "finalised", "state": "open"}, "waiting"),
    ],
)
def test_what_stripe_collects_by_itself_is_not_reminded_of(invoice, fields, expected):
    make_row(Invoice.objects.get(), **fields)
    assert read_state() == expected
    assert dunning.enqueue_reminders(FIRST) == (expected == "waiting")
    assert dunning.remind(invoice.id, 1, at=FIRST) is (expected == "waiting")


def test_a_reminder_says_where_it_can_be_paid(invoice):
    make_row(Invoice.objects.get(), step="finalised", state="open", hosted_invoice_url="https://pay.test/in_1")
    dunning.remind(invoice.id, 1, at=FIRST)
    assert mail.outbox[0].body.splitlines()[-1] == "It can be paid here: https://pay.test/in_1"
