"""Processes killed while Stripe works on what they asked: the next one finishes it, and nothing is there twice."""

import os
import signal
import subprocess
import sys
import time

import pytest
from django.conf import settings
from django.utils import timezone

from billing.models import StripeCall, StripeObject
from billing.stripe.catalogue.syncing import sync_catalogue
from jobs.models import Job
from tests.billing.stripe.catalogue.makers import make_version
from tests.jobs.engine import build_environment
from tests.simulators import KEY

pytestmark = [pytest.mark.soak, pytest.mark.django_db(transaction=True)]
LONGEST_WAIT = 30  # seconds


def start_sync(url, log):
    variables = {
        "STRIPE_SECRET_KEY": KEY,
        "STRIPE_WEBHOOK_SECRET": "whsec_kills",
        "STRIPE_API_BASE": url,
        "STRIPE_METER_EVENTS_BASE": url,
    }
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "sync_stripe_catalogue"]
    environment = os.environ | build_environment() | variables
    with log.open("wb") as output:
        return subprocess.Popen(command, env=environment, stdout=output, stderr=output)


def wait_until_sent(count):
    deadline = time.monotonic() + LONGEST_WAIT
    while StripeCall.objects.count() < count or not StripeCall.objects.filter(state="sent").exists():
        assert time.monotonic() < deadline, list(Job.objects.values_list("key", "state", "error"))
        time.sleep(0.02)


def let_leases_run_out():
    now = timezone.now()
    Job.objects.filter(state="running").update(lease_until=now)
    StripeCall.objects.filter(state="sent").update(leased_until=now)


@pytest.mark.parametrize("call", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["delay", "delay_after"])
def test_a_sync_killed_in_the_middle_of_any_call_makes_nothing_twice(simulator, tmp_path, call, kind):
    make_version()
    sync_catalogue(timezone.now())
    simulator.fault(kind, "*", method="POST", nth=call, seconds=2)

    victim = start_sync(simulator.url, tmp_path / "victim")
    wait_until_sent(call)
    time.sleep(0.3)  # into what is done at Stripe's
    victim.send_signal(signal.SIGKILL)
    victim.wait(10)
    assert StripeCall.objects.filter(state="sent").count() == 1
    time.sleep(2)  # Stripe is done with it, whoever listens
    let_leases_run_out()
    start_sync(simulator.url, tmp_path / "next").wait(LONGEST_WAIT)

    assert "0 refused, 0 still to come" in (tmp_path / "next").read_text()
    assert StripeObject.objects.filter(stripe_id="").count() == 0
    stripe = simulator.client().v1
    found = [len(each.list().data) for each in (stripe.products, stripe.billing.meters, stripe.prices)]
    assert found == [1, 1, 2]
    assert set(StripeCall.objects.values_list("state", flat=True)) == {"done"}
    assert sorted(StripeCall.objects.values_list("attempts", flat=True)) == [1, 1, 1, 2]
