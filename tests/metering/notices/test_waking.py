import pytest
from django.db import transaction

from jobs.models import Job
from metering.notices import announce, waking
from metering.notices.waking import wakes
from tests.jobs import handlers as handlers
from tests.metering.notices.makers import NOON, make_alert, raise_alert

pytestmark = pytest.mark.django_db

KIND = "tests.count"


@pytest.fixture(autouse=True)
def one_listener(monkeypatch):
    monkeypatch.setattr(waking, "KINDS", [])
    wakes(KIND)
    wakes(KIND)


def list_jobs() -> list[str]:
    return list(Job.objects.filter(kind=KIND).values_list("key", flat=True))


def test_alerts_that_speak_together_begin_one_job_of_each_app_above():
    alerts = [make_alert(level=level) for level in ("80", "100")]
    announce([alert.pk for alert in alerts], occasion="raised", at=NOON)
    announce([alert.pk for alert in alerts], occasion="raised", at=NOON)

    assert list_jobs() == [f"alert {alerts[-1].pk}"]
    assert Job.objects.get(kind=KIND).run_at == NOON


def test_a_reminder_or_a_recovery_begins_nothing():
    raise_alert(make_alert(), occasion="reminded")
    raise_alert(make_alert(level="100", resolved_at=NOON, recovery="fell"), occasion="recovered")

    assert list_jobs() == []


def test_what_is_undone_with_its_cause_begins_nothing():
    with transaction.atomic():
        raise_alert(make_alert())
        transaction.set_rollback(True)

    assert list_jobs() == []
