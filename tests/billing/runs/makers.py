"""Runs as the tests need them: some small customers, and a worker that does what was promised."""

from decimal import Decimal

from billing import subscriptions
from billing.models import BillingProfile, BillingRun, BillingRunEntry, Invoice
from billing.profiles import set_profile
from billing.rating import flat_fee, per_unit
from billing.runs.opening import open_run
from jobs.models import Job, JobState
from jobs.runner import run_job
from tests.billing.makers import FEB, HOUR, JAN, MID_JAN, make_account, make_plan, use

DUE = FEB + HOUR  # when January's grace is over
FEE, CALLS = flat_fee("Fee", Decimal(10)), per_unit("Calls", meter_key="requests", unit_amount=Decimal("0.50"))


def make_customers(*keys, started_at=JAN, **terms):
    """On one plan, `small`: 10 a month and 0.50 a call; one call in January each."""
    make_plan("small", prices=[FEE, CALLS], limits=(), **terms)
    return [make_customer(key, started_at=started_at) for key in keys]


def make_customer(key, *, plan="small", started_at=JAN, calls=1):
    account = make_account(key)
    made = subscriptions.create_subscription(
        account_id=account.id, plan_slug=plan, started_at=started_at, at=started_at
    )
    if calls:
        use(key, sizes=[1] * calls, time=max(MID_JAN, started_at))
    return made


def work(*, at=DUE, attempts=1):
    """Do what is promised and due, as a worker would."""
    for _ in range(attempts):
        for job_id in (
            Job.objects.filter(state=JobState.QUEUED, run_at__lte=at).order_by("pk").values_list("pk", flat=True)
        ):
            run_job(job_id, clock=lambda: at)


def bill(*, at=DUE, **options):
    """A run that is approved as it is opened, and done."""
    run = open_run(at=at, is_approved=True, **options)
    work(at=at)
    run.refresh_from_db()
    return run


def preview(*, at=DUE, **options):
    run = open_run(at=at, **options)
    work(at=at)
    run.refresh_from_db()
    return run


def break_profile(key):
    """Nothing can be billed to an account without a profile; returns what mends it."""
    profile = BillingProfile.objects.get(account__key=key)
    account_id, name = profile.account_id, profile.legal_name
    profile.delete()
    return lambda: set_profile(account_id=account_id, legal_name=name, time_zone="UTC")


def make_too_large(key):
    """A customer whose January is more than an invoice can hold."""
    price = per_unit("Calls", meter_key="requests", unit_amount=Decimal(999_999_999_999))
    make_plan("huge", prices=[price], limits=())
    return make_customer(key, plan="huge", calls=101)


def list_entries(run=None):
    """(account, state, what it came to) of each, in the order of the accounts."""
    entries = BillingRunEntry.objects.order_by("account__key", "starts_at")
    if run is not None:
        entries = entries.filter(run=run)
    return list(entries.values_list("account__key", "state", "billed_minor"))


def list_totals():
    return sorted(Invoice.objects.filter(number__isnull=False).values_list("account__key", "total_minor"))


def count_runs():
    return BillingRun.objects.count()
