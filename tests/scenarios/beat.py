"""Beat, the workers and Stripe's deliveries at one moment, over HTTP against the simulator."""

from datetime import datetime

import stripe
import time_machine
from django.test import Client

from billing import tasks
from jobs.models import Job, JobState
from jobs.runner import run_job
from tests.simulators import SimulatorClient

BEATS = (
    tasks.enqueue_due_periods,
    tasks.sync_stripe_catalogue,
    tasks.mirror_to_stripe,
    tasks.tell_usage_to_stripe,
    tasks.charge_through_stripe,
)


def live_at(simulator: SimulatorClient, *moments: datetime) -> None:
    """Come to each moment in turn, and do there what beat starts, workers find and Stripe tells, until all is quiet."""
    for at in moments:
        simulator.set_time(at)
        with time_machine.travel(at, tick=False):
            for _ in range(3):
                hear(simulator, at)
                for beat in BEATS:
                    beat()
                work(at)


def hear(simulator: SimulatorClient, at: datetime) -> None:
    """What waits is told, signed at that moment: the simulator itself signs by the clock on the wall."""
    for _headers, body in simulator.take_webhooks():
        signature = stripe.WebhookSignature.generate_signature_header(
            body.decode(), simulator.webhook_secret, int(at.timestamp())
        )
        told = Client().post(
            "/stripe/webhook/", body, content_type="application/json", headers={"Stripe-Signature": signature}
        )
        assert told.status_code == 200, told.content


def work(at: datetime) -> None:
    for _ in range(20):
        due = Job.objects.filter(state=JobState.QUEUED, run_at__lte=at).order_by("pk")
        pks = list(due.values_list("pk", flat=True))
        if not pks:
            return
        for pk in pks:
            run_job(pk, clock=lambda: at)
    raise AssertionError("jobs are promised for ever")
