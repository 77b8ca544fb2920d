from datetime import time

import pytest
from django.db import transaction

from jobs.models import Job
from metering.models import Notice
from metering.notices import announce, announcing
from metering.notices.announcing import TELL
from tests.metering.notices.makers import NOON, make_alert, make_rule, raise_alert

pytestmark = pytest.mark.django_db


def read_notices() -> list[tuple[str, str, str]]:
    return list(Notice.objects.order_by("audience").values_list("audience", "occasion", "state"))


def count_jobs(kind: str) -> int:
    return Job.objects.filter(kind=kind).count()


def test_each_audience_gets_a_notice_and_a_job_that_tells_it():
    assert raise_alert(make_alert()) == 3
    assert read_notices() == [
        ("members", "raised", "waiting"),
        ("rep", "raised", "waiting"),
        ("webhook", "raised", "waiting"),
    ]
    assert count_jobs(TELL) == 3


def test_announcing_again_promises_nothing_more():
    alert = make_alert()
    raise_alert(alert)
    assert raise_alert(alert) == 0
    assert (Notice.objects.count(), count_jobs(TELL)) == (3, 3)


def test_another_occasion_is_announced_by_itself():
    alert = make_alert()
    raise_alert(alert)
    assert raise_alert(alert, occasion="reminded") == 3


def test_what_is_undone_with_its_cause_promises_nothing():
    alert = make_alert()
    with transaction.atomic():
        raise_alert(alert)
        transaction.set_rollback(True)
    assert (Notice.objects.count(), Job.objects.count()) == (0, 0)


def test_a_rule_that_does_not_tell_an_audience_has_its_notice_say_so():
    raise_alert(make_alert(rule=make_rule(tells_members=False, tells_webhook=False)))
    assert read_notices() == [
        ("members", "raised", "nobody"),
        ("rep", "raised", "waiting"),
        ("webhook", "raised", "nobody"),
    ]


def test_many_alerts_share_their_jobs_and_their_statements(monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(announcing, "NOTICES_A_JOB", 3)
    alerts = [make_alert(subject=str(number)) for number in range(4)]
    with django_assert_num_queries(2 + 6 + 1):
        announce([alert.pk for alert in alerts], occasion="raised", at=NOON)
    sizes = [len(job.payload["notices"]) for job in Job.objects.filter(kind=TELL).order_by("pk")]
    assert sorted(sizes) == [1, 1, 1, 3, 3, 3]


NIGHT = {"quiet_from": time(11), "quiet_until": time(18)}


def find_due(audience: str) -> str:
    return f"{Notice.objects.get(audience=audience).due_at:%d %H:%M}"


def test_in_quiet_hours_people_hear_of_it_when_they_end_by_the_accounts_clock_and_systems_at_once():
    """Noon in London is one o'clock in Paris."""
    raise_alert(make_alert(rule=make_rule(**NIGHT), time_zone="Europe/Paris"))
    assert (find_due("members"), find_due("rep"), find_due("webhook")) == ("10 17:00", "10 17:00", "10 12:00")
    assert sorted(f"{job.run_at:%H:%M}" for job in Job.objects.filter(kind=TELL)) == ["12:00", "17:00", "17:00"]


def test_what_is_critical_speaks_in_quiet_hours_too():
    raise_alert(make_alert(level="100", used="100", rule=make_rule(**NIGHT)))
    assert find_due("members") == "10 12:00"


def test_a_digest_waits_for_eight_in_the_morning_of_the_account():
    raise_alert(make_alert(rule=make_rule(digest="daily"), time_zone="Asia/Kolkata"))
    assert find_due("members") == "11 02:30"


def test_that_a_window_ended_is_told_to_systems_alone():
    raise_alert(make_alert(resolved_at=NOON, recovery="window_ended"), occasion="recovered")
    assert [state for _, _, state in read_notices()] == ["nobody", "nobody", "waiting"]
