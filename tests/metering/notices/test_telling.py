from datetime import timedelta

import pytest
from django.core import mail

from jobs.models import Job
from metering.models import Alert, Notice
from metering.notices.recipients import Recipient
from metering.notices.telling import tell_notices
from tests.metering.notices.makers import (
    DECEMBER,
    NOON,
    OLIVIA,
    do_jobs,
    hearing,
    make_alert,
    make_rule,
    raise_alert,
    read_deliveries,
    states,
)

pytestmark = pytest.mark.django_db
BOB = Recipient("bob@example.com", language="fr")
MORNING = NOON + timedelta(hours=20)  # eight o'clock of the eleventh


def list_ids() -> list[int]:
    return list(Notice.objects.filter(audience="members").values_list("pk", flat=True))


def test_each_recipient_gets_one_message_and_a_job_that_sends_it():
    raise_alert(make_alert())
    with hearing(OLIVIA, BOB):
        do_jobs("metering.tell")
    assert [(each.recipient, each.language, each.state) for each in read_deliveries()] == [
        ("olivia@example.com", "en", "queued"),
        ("bob@example.com", "fr", "queued"),
    ]
    assert Job.objects.filter(kind="metering.deliver").count() == 2
    assert states() == [("raised", "told")]
    assert states(audience="webhook") == [("raised", "nobody")]


def test_telling_again_tells_nobody():
    raise_alert(make_alert())
    with hearing(OLIVIA):
        do_jobs("metering.tell")
        assert tell_notices(list_ids(), at=NOON) == 0
    assert len(read_deliveries()) == 1


def test_an_address_that_is_behind_an_audience_twice_gets_one_message():
    raise_alert(make_alert())
    with hearing(OLIVIA, OLIVIA):
        do_jobs("metering.tell")
    assert len(read_deliveries()) == 1


def test_alerts_of_one_account_at_one_moment_are_one_message_with_the_gravest_first():
    first, second = make_alert(level="80", subject="eu"), make_alert(level="100", used="120", subject="us")
    raise_alert(first)
    with hearing(OLIVIA):
        raise_alert(second)
        tell_notices(list_ids(), at=NOON)
    [delivery] = [each for each in read_deliveries() if each.channel == "mail"]
    assert delivery.subject == "2 alerts: Requests: 100 % of the limit reached – Acme"
    assert list(delivery.notices.order_by("pk").values_list("alert_id", flat=True)) == [first.pk, second.pk]
    assert delivery.text.index("120\xa0%") < delivery.text.index("81.25\xa0%")


def test_an_alert_that_is_over_while_it_waits_is_not_told_and_neither_is_its_end():
    alert = make_alert(rule=make_rule(digest="daily"))
    raise_alert(alert)
    Alert.objects.filter(pk=alert.pk).update(resolved_at=NOON + timedelta(hours=1), recovery="fell")
    raise_alert(alert, occasion="recovered", at=NOON + timedelta(hours=1))
    with hearing(OLIVIA):
        do_jobs("metering.tell", at=MORNING)
    assert states() == [("raised", "superseded"), ("recovered", "superseded")]
    assert read_deliveries() == []


def test_an_alert_whose_window_ended_before_anybody_could_be_told_is_not_told():
    raise_alert(make_alert())
    with hearing(OLIVIA):
        do_jobs("metering.tell", at=DECEMBER)
    assert states() == [("raised", "superseded")]


def test_a_higher_level_takes_the_place_of_one_that_waits():
    rule = make_rule(digest="daily")
    raise_alert(make_alert(rule=rule))
    raise_alert(make_alert(level="100", used="104", rule=rule))
    with hearing(OLIVIA):
        do_jobs("metering.tell", at=MORNING)
    assert states() == [("raised", "superseded"), ("raised", "told")]
    [delivery] = read_deliveries()
    assert delivery.subject == "Requests: 100 % of the limit reached – Acme"


def test_who_heard_of_an_alert_hears_that_it_is_over():
    alert = make_alert()
    raise_alert(alert)
    with hearing(OLIVIA):
        do_jobs("metering.tell")
        Alert.objects.filter(pk=alert.pk).update(resolved_at=NOON, recovery="limit_changed")
        raise_alert(alert, occasion="recovered")
        do_jobs("metering.tell")
    [_, over] = read_deliveries()
    assert over.subject == "Over: Requests: 80 % of the limit reached – Acme"
    assert "The limit was changed: it is not reached any more." in over.text


def test_a_digest_gathers_what_is_due_with_it_in_one_mail_and_leaves_other_accounts_alone():
    rule = make_rule(digest="daily")
    for subject, account in [("eu", "acme"), ("us", "acme"), ("eu", "initech")]:
        raise_alert(make_alert(rule=rule, subject=subject, account=account))
    with hearing(OLIVIA):
        assert do_jobs("metering.tell", at=NOON) == ["done"] * 3  # the systems'
        do_jobs("metering.tell", at=MORNING)
    assert [(each.subject, each.notices.count()) for each in read_deliveries()] == [
        ("2 alerts: Requests: 80 % of the limit reached – Acme", 2),
        ("Requests: 80 % of the limit reached – Initech", 1),
    ]


def test_sales_is_told_once_sales_has_taken_it_up():
    alert = make_alert()
    raise_alert(alert)
    with hearing(OLIVIA, audience="rep"):
        assert sorted(do_jobs("metering.tell")) == ["done", "done", "queued"]
        Alert.objects.filter(pk=alert.pk).update(claimed_at=NOON)
        do_jobs("metering.tell", at=NOON + timedelta(seconds=15))
    assert states(audience="rep") == [("raised", "told")]


def test_after_ten_minutes_sales_is_told_whoever_took_it_up():
    raise_alert(make_alert())
    with hearing(OLIVIA, audience="rep"):
        do_jobs("metering.tell")
        do_jobs("metering.tell", at=NOON + timedelta(minutes=10))
    assert states(audience="rep") == [("raised", "told")]


def test_nothing_is_sent_where_messages_are_written():
    raise_alert(make_alert())
    with hearing(OLIVIA):
        do_jobs("metering.tell")
    assert mail.outbox == []
