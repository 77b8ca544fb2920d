from datetime import timedelta

import pytest

from metering.invariants import check
from metering.notices.proving import RULES
from tests.metering.notices.makers import NOON, OLIVIA, do_jobs, hearing, make_alert, raise_alert
from tests.metering.test_invariants import break_by_hand

pytestmark = pytest.mark.django_db


@pytest.fixture
def told() -> None:
    """An alert of which Olivia is told, by a message that waits to be sent, and one that nobody was told of yet."""
    raise_alert(make_alert())
    with hearing(OLIVIA):
        do_jobs("metering.tell")
    raise_alert(make_alert(subject="2"), at=NOON + timedelta(hours=1))


BREAKS = {
    "an alert that was announced was so to each audience": [
        "DELETE FROM metering_notice WHERE audience = 'rep'",
    ],
    "a notice is of its alert's account": [
        """
        INSERT INTO metering_account (id, key, name, created_at) VALUES (99, 'x', 'x', now());
        UPDATE metering_notice SET account_id = 99
        """,
    ],
    "a notice that waits has a job that tells it": [
        "DELETE FROM jobs_job WHERE kind = 'metering.tell'",
        """
        UPDATE jobs_job SET state = 'done', finished_at = now(), started_at = now(), attempts = 1
        WHERE kind = 'metering.tell'
        """,
    ],
    "a notice has messages exactly when it was told": [
        "DELETE FROM metering_delivery_notices",
        "UPDATE metering_notice SET state = 'nobody' WHERE state = 'told'",
    ],
    "a message tells of the notice that names it": ["DELETE FROM metering_delivery_notices"],
    "nobody is told of one notice twice": [
        """
        WITH other AS (
            INSERT INTO metering_delivery (token, first_notice_id, channel, recipient, language, subject, text, html,
                headers, state, rounds, attempts, error, answer_text, made_at)
            SELECT gen_random_uuid(), (SELECT max(id) FROM metering_notice), channel, recipient, '', '', '', '', '{}',
                'failed', 1, 1, 'x', '', now() FROM metering_delivery
            RETURNING id
        )
        INSERT INTO metering_delivery_notices (delivery_id, notice_id)
        SELECT other.id, first_notice_id FROM other, metering_delivery
        """,
    ],
    "a message that is not out has a job that sends it": [
        "DELETE FROM jobs_job WHERE kind = 'metering.deliver'",
        "UPDATE metering_delivery SET rounds = 2",
    ],
    "a message has a time exactly when it was sent": [
        """
        SET CONSTRAINTS ALL IMMEDIATE;
        ALTER TABLE metering_delivery DROP CONSTRAINT delivery_has_a_time_exactly_when_sent;
        UPDATE metering_delivery SET state = 'sent'
        """,
    ],
}


def list_broken() -> set[str]:
    return {violation.rule for violation in check()} & set(RULES)


def test_what_goes_its_way_breaks_no_rule(told):
    assert list_broken() == set()


@pytest.mark.parametrize(("rule", "sql"), [(rule, sql) for rule, all_sql in BREAKS.items() for sql in all_sql])
def test_each_rule_finds_what_breaks_it(told, rule, sql):
    break_by_hand(sql)()
    assert rule in list_broken()


def test_every_rule_is_broken_once_here():
    assert set(BREAKS) == set(RULES)
