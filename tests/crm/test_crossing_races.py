"""One crossing before eight workers and two schedulers: one alert, one lead, one notice for each audience."""

import threading
from functools import partial

import pytest
from django.db import connection

from crm import invariants
from crm.leads import TAKE_UP, open_leads, take_up_alerts
from crm.models import Lead, Signal
from jobs.models import Job
from jobs.queue import do_now
from metering.alerts import check_limits, state_alert
from metering.ingest import UsageEvent, ingest_events
from metering.models import Alert, Notice
from tests.crm.makers import JUNE_10, JUNE_11, make_customer, make_rep, raise_alert, run_together

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS, SCHEDULERS = 8, 2


def send(account):
    """The same event from every worker, as a sender would that heard no answer; then whatever job there is to do."""
    event = UsageEvent("test", "crossing", "requests", account.key, JUNE_10, {"count": 210})
    ingest_events([event], at=JUNE_10)
    for key in list(Job.objects.filter(kind=TAKE_UP).values_list("key", flat=True)):
        do_now(TAKE_UP, key, clock=lambda: JUNE_10)


def run_beat():
    check_limits(at=JUNE_10)
    open_leads(at=JUNE_10)


def test_eight_workers_and_two_schedulers_make_one_alert_one_lead_and_one_notice_each():
    make_rep("rosa")
    account = make_customer("acme")

    run_together(*[partial(send, account)] * WORKERS, *[run_beat] * SCHEDULERS)
    open_leads(at=JUNE_11)

    assert Alert.objects.count() == 1
    assert (Lead.objects.count(), Signal.objects.count()) == (1, 1)
    assert sorted(Notice.objects.values_list("audience", "occasion")) == [
        ("members", "raised"),
        ("rep", "raised"),
        ("webhook", "raised"),
    ]
    assert Job.objects.filter(kind=TAKE_UP).count() == 1
    assert list(invariants.check()) == []


@pytest.fixture
def no_claims(monkeypatch):
    """Eight workers who all see the alert free before any of them takes it, and nothing to keep its signal alone."""
    together = threading.Barrier(WORKERS, timeout=20)

    def claim_without_lock(*, at, limit):
        free = Alert.objects.filter(claimed_at=None, state="told").select_related("meter")
        alerts = [state_alert(alert) for alert in free[:limit]]
        if alerts:
            together.wait()
        Alert.objects.filter(pk__in=[alert.id for alert in alerts]).update(claimed_at=at)
        return alerts

    monkeypatch.setattr("crm.leads.claim_alerts", claim_without_lock)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE crm_signal DROP CONSTRAINT crm_signal_alert_id_key")
        yield
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("DELETE FROM crm_signal; DELETE FROM crm_transition; DELETE FROM crm_lead")
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("ALTER TABLE crm_signal ADD CONSTRAINT crm_signal_alert_id_key UNIQUE (alert_id)")


def test_without_the_claim_and_the_constraint_each_worker_would_take_it_up(no_claims):
    raise_alert(make_customer("acme"))

    run_together(*[partial(take_up_alerts, at=JUNE_11)] * WORKERS)

    assert Signal.objects.count() == WORKERS
    assert "a claimed alert has exactly one signal" in {found.rule for found in invariants.check()}
