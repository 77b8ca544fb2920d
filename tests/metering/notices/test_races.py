"""Many workers at one alert: each notice once, each message once, sent once."""

from collections.abc import Callable

import pytest
from django.core import mail

from jobs.models import Job
from jobs.runner import run_job
from metering.models import Delivery, Notice
from metering.notices import announce, telling
from metering.notices.recipients import Recipient
from metering.notices.telling import tell_notices
from tests.jobs.makers import StandingClock
from tests.metering.notices.makers import NOON, OLIVIA, do_jobs, hearing, make_alert, make_rule, raise_alert
from tests.metering.threads import open_threads

pytestmark = pytest.mark.django_db(transaction=True)
WORKERS = 8


def run_together(act: Callable[[], object]) -> None:
    with open_threads(WORKERS) as threads:
        threads.run_all(*[act] * WORKERS)


def test_eight_workers_announce_an_alert_once():
    alert = make_alert()
    run_together(lambda: announce([alert.pk], occasion="raised", at=NOON))
    assert (Notice.objects.count(), Job.objects.filter(kind="metering.tell").count()) == (3, 3)


def test_eight_workers_write_and_send_one_message():
    raise_alert(make_alert())
    ids = list(Notice.objects.filter(audience="members").values_list("pk", flat=True))
    with hearing(OLIVIA):
        run_together(lambda: tell_notices(ids, at=NOON))
    assert Delivery.objects.count() == 1
    [job_id] = Job.objects.filter(kind="metering.deliver").values_list("pk", flat=True)
    run_together(lambda: run_job(job_id, clock=StandingClock(NOON)))
    assert len(mail.outbox) == 1


def test_a_digest_that_two_jobs_gather_at_once_is_one_message():
    rule = make_rule(digest="daily")
    for subject in ("1", "2"):
        raise_alert(make_alert(rule=rule, subject=subject))
    ids = list(Notice.objects.filter(audience="members").values_list("pk", flat=True))
    due = Notice.objects.filter(pk=ids[0]).values_list("due_at", flat=True)[0]
    turns = iter(ids * WORKERS)
    with hearing(OLIVIA):
        run_together(lambda: tell_notices([next(turns)], at=due))
    [delivery] = Delivery.objects.all()
    assert set(delivery.notices.values_list("pk", flat=True)) == set(ids)


def test_a_worker_that_dies_while_messages_are_written_leaves_none_and_the_next_writes_them_once(monkeypatch):
    raise_alert(make_alert())
    write_mail, calls = telling.write_mail, []

    def die_once(*arguments: object, **names: object) -> object:
        calls.append(1)
        if len(calls) == 2:  # Bob's: Olivia's is written
            raise SystemExit
        return write_mail(*arguments, **names)

    monkeypatch.setattr(telling, "write_mail", die_once)
    bob = Recipient("bob@example.com")
    with hearing(OLIVIA, bob):
        [job_id] = Job.objects.filter(kind="metering.tell", payload__notices__contains=member_notices()).values_list(
            "pk", flat=True
        )
        with pytest.raises(SystemExit):
            run_job(job_id, clock=StandingClock(NOON))
        assert Delivery.objects.count() == 0
        Job.objects.filter(pk=job_id).update(state="queued", lease_token=None, lease_until=None)
        assert run_job(job_id, clock=StandingClock(NOON)) == "done"
    do_jobs("metering.deliver")
    assert sorted(sent.to for sent in mail.outbox) == [["bob@example.com"], ["olivia@example.com"]]


def member_notices() -> list[int]:
    return list(Notice.objects.filter(audience="members").values_list("pk", flat=True))
