from datetime import UTC, datetime
from decimal import Decimal

from billing.models import PlanVersion
from billing.plans import create_plan
from billing.rating import flat_fee, per_unit
from jobs.models import Job, JobState
from jobs.runner import run_job
from metering.meters import create_meter

AT = datetime(2026, 11, 2, 9, tzinfo=UTC)


def make_meter(key="calls", **fields):
    return create_meter(**{"key": key, "name": key.title(), "event_type": key, "unit": "call", "at": AT} | fields)


def make_version(*prices, slug="gold", currency="EUR", **fields):
    """A published version; by default a fee of 9 and a meter `calls` at a cent."""
    if not prices:
        make_meter()
        prices = [flat_fee("Base", Decimal(9)), per_unit("Calls", meter_key="calls", unit_amount=Decimal("0.01"))]
    rank = PlanVersion.objects.count() + 1
    create_plan(slug=slug, name=slug.title(), rank=rank, currency=currency, prices=prices, at=AT, **fields)
    return PlanVersion.objects.get(plan__slug=slug)


def run_jobs(at=AT):
    """Do what is due, and what that promises, at one moment; return the kinds in order."""
    kinds = []
    while due := Job.objects.filter(state=JobState.QUEUED, run_at__lte=at).order_by("pk").first():
        kinds.append(due.kind)
        run_job(due.pk, clock=lambda: at)
    return kinds
