"""What the clock and the job runner start."""

from collections.abc import Callable
from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from billing import anomalies, dunning, invoicing, lifecycle, subscriber_moves, subscriptions, whatif_answers
from billing.ahead import invoices as progress
from billing.alerting import moves as money_moves
from billing.alerting.looking import look_at_moved
from billing.credits import settling, top_ups
from billing.late import changes as late_changes
from billing.late import leftovers
from billing.late import settling as late_settling
from billing.models import DriftAct
from billing.runs import moves, work
from billing.runs.opening import BILL_PART, PREVIEW_PART
from billing.stripe import calls
from billing.stripe.catalogue import checking, syncing
from billing.stripe.charging import charge, outcomes, scans
from billing.stripe.client import is_on
from billing.stripe.customers import MIRROR_CUSTOMER, promise_customers
from billing.stripe.inbox import catching_up, handling
from billing.stripe.inbox.storing import HANDLE_EVENT
from billing.stripe.mirroring.customers import mirror_customer
from billing.stripe.mirroring.promising import MIRROR_SUBSCRIPTION, promise_moved
from billing.stripe.mirroring.subscriptions import mirror_subscription
from billing.stripe.reconciling import repairs
from billing.stripe.reconciling import running as reconciling
from billing.stripe.status import log_status
from billing.stripe.usage.collecting import collect_usage
from billing.stripe.usage.lookups import look_up_lost
from billing.stripe.usage.sending import LONGEST, SEND_USAGE, promise_sending, send_usage, start_clock
from jobs.queue import JobContext, enqueue, errand, handler


@shared_task
def enqueue_due_periods() -> None:
    """Beat's task: open the periods that come next, promise the drafts of those that ended, and run what is due."""
    at = timezone.now()
    lifecycle.settle_due(at)
    subscriptions.open_next_periods(at)
    invoicing.enqueue_drafts(at)
    moves.keep_going(at)


@shared_task
def find_anomalies() -> None:
    """Beat's task: promise a look at the last full hour. Run twice, it is promised once."""
    anomalies.promise_look(at=timezone.now())


@errand(anomalies.KIND, lease=timedelta(minutes=10), max_attempts=3)
def look_for_anomalies(job: JobContext) -> None:
    """The job's key is the hour."""
    anomalies.look_at_hour(job)


@handler(invoicing.DRAFT_PERIOD, lease=timedelta(minutes=5), max_attempts=10)
def draft_one(job: JobContext) -> None:
    """The job's key is the period's id."""
    invoicing.draft_ended_period(int(job.key), at=job.at)


@handler(PREVIEW_PART, lease=timedelta(minutes=10))
def preview_one_part(job: JobContext) -> None:
    """The job's key is the part of a run that its entries name."""
    work.preview_part(job)


@handler(BILL_PART, lease=timedelta(minutes=10))
def bill_one_part(job: JobContext) -> None:
    """As above. What it issues commits together with the mark "done"."""
    work.bill_part(job)


@shared_task
def bill_usage_ahead() -> None:
    """Beat's task: promise an invoice to each subscription whose usage passed a threshold."""
    progress.enqueue_passed(timezone.now())


@handler(progress.BILL_AHEAD, lease=timedelta(minutes=5), max_attempts=10)
def bill_ahead_one(job: JobContext) -> None:
    """The job's key is the subscription's id, the threshold and the hour: what fell may rise again."""
    progress.bill_ahead(int(job.key.split()[0]), at=job.at)


@shared_task
def look_at_money() -> None:
    """Beat's task: tell what was spent and what is left of credit where it moved, and once a day by the clock."""
    at = timezone.now()
    enqueue(money_moves.NOTE_BY_CLOCK, f"{at:%Y-%m-%d}", at=at)
    look_at_moved(at)


@handler(money_moves.NOTE_BY_CLOCK)
def note_money_by_clock(job: JobContext) -> None:
    """The job's key is the day."""
    money_moves.note_by_clock(at=job.at)


@shared_task
def settle_late_usage() -> None:
    """Beat's task: find what invoices do not know, and promise to settle it and to bill what nothing else will."""
    at = timezone.now()
    late_changes.collect_changes(at)
    late_changes.enqueue_settlements(at)
    leftovers.enqueue_leftovers(at)


@handler(late_changes.SETTLE_LATE, lease=timedelta(minutes=5), max_attempts=10)
def settle_late_one(job: JobContext) -> None:
    """The job's key is the invoice's id and the number of the settling."""
    late_settling.settle_late(int(job.key.split()[0]), at=job.at)


@handler(leftovers.BILL_LEFTOVERS, max_attempts=10)
def bill_leftovers_one(job: JobContext) -> None:
    """The job's key is the subscription's id and that of the oldest item that waits."""
    leftovers.bill_leftovers(int(job.key.split()[0]), at=job.at)


@shared_task
def settle_credits() -> None:
    """Beat's task: let credit recur and expire, then promise the top-ups that are wanted."""
    at = timezone.now()
    settling.recur_due(at=at)
    settling.expire_due(at)
    top_ups.promise_top_ups(at)


@handler(top_ups.ASK_TOP_UP)
def ask_one(job: JobContext) -> None:
    """The job's key is the rule's id and the number of the top-up."""
    top_ups.ask_top_up(job.payload["rule"], job.payload["number"], at=job.at)


@handler(whatif_answers.ANSWER_WHAT_IF, max_attempts=3)
def answer_what_if(job: JobContext) -> None:
    """The job's key is a name of the question's own."""
    whatif_answers.answer(job)


@handler(subscriber_moves.MOVE_SUBSCRIBER)
def move_one_subscriber(job: JobContext) -> None:
    """The job's key is that of the question, and the subscription's id."""
    asked = job.payload
    subscriber_moves.move_subscriber(
        asked["subscription"],
        asked["version"],
        asked["plan"],
        when=subscriber_moves.When(asked["when"]),
        at=job.at,
        by=asked["by"],
    )


@shared_task
def remind_of_unpaid() -> None:
    """Beat's task: promise the reminders that are due."""
    dunning.enqueue_reminders(timezone.now())


@handler(dunning.REMIND)
def remind_one(job: JobContext) -> None:
    """The job's key is the invoice's id and the number of the reminder."""
    dunning.remind(job.payload["invoice"], job.payload["number"], at=job.at)


@errand(HANDLE_EVENT)
def handle_event_of_stripe(job: JobContext) -> Callable[[], None] | None:
    """The job's key is the event's id at Stripe and how often it was replayed."""
    return handling.handle_event(job.payload["event"], at=job.at)


@shared_task
def catch_up_with_stripe() -> None:
    """Beat's task: mark events that could not be handled, keep those that were not told, log how things stand."""
    handling.mark_failed()
    if is_on():
        at = timezone.now()
        catching_up.catch_up(at)
        log_status(at)


@shared_task
def reconcile_with_stripe() -> None:
    """Beat's task: find where Palier and Stripe do not say the same."""
    if is_on():
        reconciling.reconcile(timezone.now())


@errand(repairs.LOOK_AGAIN, max_attempts=3)
def look_again_at_stripe(job: JobContext) -> None:
    """The job's key is a name of the question's own."""
    reconciling.reconcile(job.at, account_id=job.payload["account"])


@errand(repairs.REPAIR)
def repair_one_drift(job: JobContext) -> None:
    """The job's key is the drift's id and how much was done of it before."""
    payload = job.payload
    repairs.repair(payload["drift"], by=payload["by"], act=DriftAct(payload["act"]), at=job.at)


@shared_task
def tell_usage_to_stripe() -> None:
    """Beat's task: queue what was counted for Stripe's meters, and promise to send it."""
    if is_on():
        at = timezone.now()
        collect_usage(at)
        promise_sending(at)


@errand(SEND_USAGE)
def send_usage_to_stripe(job: JobContext) -> None:
    """The job's key is the minute, and which of those that send at once it is."""
    send_usage(clock=start_clock(job.at), until=job.at + LONGEST)
    look_up_lost(job.at)


@shared_task
def mirror_to_stripe() -> None:
    """Beat's task: promise to tell Stripe of customers and subscriptions that moved."""
    if is_on():
        at = timezone.now()
        promise_customers(at)
        promise_moved(at)


@errand(MIRROR_CUSTOMER)
def mirror_one_customer(job: JobContext) -> None:
    """The job's key is the account's id, the number of its customer, and which revision is to follow which."""
    mirror_customer(job.payload["account"], at=job.at)


@errand(MIRROR_SUBSCRIPTION)
def mirror_one_subscription(job: JobContext) -> None:
    """The job's key is the subscription's id and the number of the errand."""
    mirror_subscription(job.payload["subscription"], at=job.at)


@shared_task
def charge_through_stripe() -> None:
    """Beat's task: promise to have Stripe ask what was issued, and follow what moved since."""
    at = timezone.now()
    scans.promise_charges(at)
    scans.promise_follows(at)


@errand(scans.CHARGE, lease=timedelta(minutes=10))
def charge_one(job: JobContext) -> None:
    """The job's key is the invoice's id, and how often its draft went or somebody tried again."""
    charge.charge_invoice(job.payload["invoice"], at=job.at)


@errand(scans.FOLLOW, lease=timedelta(minutes=10))
def follow_one(job: JobContext) -> None:
    """The job's key is the invoice's id, and how much moved of it."""
    outcomes.follow_invoice(job.payload["invoice"], at=job.at)


@shared_task
def sync_stripe_catalogue() -> None:
    """Beat's task: promise Stripe what is on offer, and once a day a look at what it has."""
    if is_on():
        at = timezone.now()
        syncing.sync_catalogue(at)
        enqueue(checking.CHECK_CATALOGUE, f"{at:%Y-%m-%d}", at=at)


@shared_task
def forget_answers_of_stripe() -> None:
    """Beat's task: what was sent and answered is kept for 35 days."""
    calls.forget_answers(timezone.now())


@errand(syncing.TELL_OBJECT, lease=timedelta(minutes=10))
def tell_one_object(job: JobContext) -> Callable[[], object] | None:
    """The job's key is the object's kind and key, and the revision that its payload holds."""
    return syncing.tell_object(job)


@handler(syncing.PROMISE_CATALOGUE)
def promise_rest_of_catalogue(job: JobContext) -> None:
    """The job's key is of the product or the meter that others waited for."""
    syncing.promise_due(job.at)


@errand(checking.CHECK_CATALOGUE, lease=timedelta(minutes=30))
def check_stripe_catalogue(job: JobContext) -> None:
    """The job's key is the day."""
    checking.check_catalogue(job.at)
