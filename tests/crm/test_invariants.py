"""Each rule is shown to complain: the data is broken by hand, past constraints and triggers."""

import pytest
from django.db import connection

from crm import invariants
from crm.leads import move_lead
from metering.models import Alert
from tests.crm.makers import JUNE_11, make_customer, make_lead, make_rep, use

pytestmark = pytest.mark.django_db


def break_by_hand(*statements):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("SET LOCAL session_replication_role = origin")


def find_violations():
    return [(found.rule, found.subject, found.detail) for found in invariants.check()]


@pytest.fixture
def lead():
    make_rep("rosa")
    lead = make_lead("acme", count=210)
    move_lead(lead_id=lead.pk, to_stage="contacted", actor_id=None, at=JUNE_11)
    assert find_violations() == []
    return lead


def test_a_second_open_lead_is_found(lead):
    break_by_hand(
        "DROP INDEX lead_one_open_per_account",
        "UPDATE crm_lead SET stage = 'lost', lost_reason = 'x', closed_at = now()",
        "INSERT INTO crm_lead (account_id, stage, rep_id, priority, severity, lost_reason, opened_at)"
        " SELECT account_id, 'new', NULL, 2, 2, '', now() FROM crm_lead, generate_series(1, 2)",
    )

    assert ("one open lead per account", f"account {lead.account_id}", "2 open leads") in find_violations()


def test_a_claimed_alert_without_a_signal_is_found(lead):
    signal = lead.signals.get()
    break_by_hand("DELETE FROM crm_signal")

    assert find_violations() == [
        ("a claimed alert has exactly one signal", f"alert {signal.alert_id}", "0 signals"),
        ("a lead has a signal", f"lead {lead.pk}", "nobody knows why it is there"),
    ]


def test_a_second_signal_of_an_alert_is_found(lead):
    signal = lead.signals.get()
    break_by_hand(
        "ALTER TABLE crm_signal DROP CONSTRAINT crm_signal_alert_id_key",
        "INSERT INTO crm_signal (lead_id, alert_id, evidence, created_at)"
        " SELECT lead_id, alert_id, evidence, created_at FROM crm_signal",
    )

    assert find_violations() == [("a claimed alert has exactly one signal", f"alert {signal.alert_id}", "2 signals")]


def test_a_signal_of_an_unclaimed_alert_is_found(lead):
    break_by_hand("UPDATE metering_alert SET claimed_at = NULL")

    rule = "a signal comes from a claimed alert that speaks"
    assert find_violations() == [(rule, f"signal {lead.signals.get().pk}", "its alert is not claimed")]


def test_a_signal_of_a_superseded_alert_is_found(lead):
    break_by_hand("UPDATE metering_alert SET state = 'superseded'")

    rule = "a signal comes from a claimed alert that speaks"
    assert find_violations() == [(rule, f"signal {lead.signals.get().pk}", "its alert is superseded")]


def test_a_signal_whose_alert_is_gone_is_found(lead):
    break_by_hand("DELETE FROM metering_alert")

    rule = "a signal comes from a claimed alert that speaks"
    assert find_violations() == [(rule, f"signal {lead.signals.get().pk}", "its alert is gone")]


def test_a_signal_on_another_accounts_lead_is_found(lead):
    other = make_customer("other")
    break_by_hand("UPDATE crm_lead SET account_id = (SELECT id FROM metering_account WHERE key = 'other')")

    assert find_violations() == [
        (
            "a signal is on a lead of its own account",
            f"signal {lead.signals.get().pk}",
            f"alert of account {lead.account_id}, lead of account {other.id}",
        )
    ]


def test_a_severity_that_no_signal_justifies_is_found(lead):
    break_by_hand("UPDATE crm_lead SET severity = 3")

    rule = "a lead is as severe as its worst signal"
    assert find_violations() == [(rule, f"lead {lead.pk}", "severity 3, worst signal 2")]


def test_a_level_that_no_signal_reached_is_found(lead):
    break_by_hand("UPDATE crm_lead SET level = NULL")

    rule = "a lead has come as far as its furthest signal"
    assert find_violations() == [(rule, f"lead {lead.pk}", "level none, furthest signal 80.000000000000")]


def test_a_signal_that_cooled_on_a_lead_that_was_not_lost_is_found(lead):
    break_by_hand("UPDATE crm_signal SET is_cooled = true")

    rule = "a signal that cooled is on a lead that was lost"
    assert find_violations() == [
        ("a lead has a signal", f"lead {lead.pk}", "nobody knows why it is there"),
        (rule, f"signal {lead.signals.get().pk}", f"lead {lead.pk} is contacted"),
    ]


def test_a_stage_that_no_transition_led_to_is_found(lead):
    break_by_hand("UPDATE crm_lead SET stage = 'qualified'")

    rule = "a lead's stage is where its last transition led"
    assert find_violations() == [(rule, f"lead {lead.pk}", "is qualified, last moved to contacted")]


def test_a_lead_without_history_is_found(lead):
    break_by_hand("DELETE FROM crm_transition")

    rule = "a lead's stage is where its last transition led"
    assert find_violations() == [(rule, f"lead {lead.pk}", "is contacted, last moved to nothing")]


def test_a_rep_whom_nobody_gave_the_lead_is_found(lead):
    break_by_hand("DELETE FROM crm_activity")

    rule = "a lead's rep is whom it was last given to"
    assert find_violations() == [(rule, f"lead {lead.pk}", f"is with rep {lead.rep_id}, last given to nobody")]


def test_a_lead_back_in_the_queue_by_hand_is_found(lead):
    break_by_hand("UPDATE crm_lead SET rep_id = NULL")

    rule = "a lead's rep is whom it was last given to"
    assert find_violations() == [(rule, f"lead {lead.pk}", f"is with rep nobody, last given to {lead.rep_id}")]


def test_a_history_with_a_gap_is_found(lead):
    last = lead.transitions.latest("pk")
    break_by_hand("UPDATE crm_transition SET from_stage = 'qualified' WHERE to_stage = 'contacted'")

    rule = "a lead moves step by step along allowed moves"
    assert find_violations() == [(rule, f"transition {last.pk}", "qualified → contacted after new")]


def test_a_move_that_is_not_allowed_is_found(lead):
    break_by_hand(
        "INSERT INTO crm_transition (lead_id, from_stage, to_stage, reason, moved_at)"
        " SELECT id, 'contacted', 'won', '', now() FROM crm_lead",
        "INSERT INTO crm_transition (lead_id, from_stage, to_stage, reason, moved_at)"
        " SELECT id, 'won', 'contacted', '', now() FROM crm_lead",
    )

    [(rule, _subject, detail)] = find_violations()
    assert (rule, detail) == ("a lead moves step by step along allowed moves", "won → contacted after won")


def test_alerts_that_wait_are_no_violation():
    use(make_customer("acme"), 260)

    assert Alert.objects.filter(claimed_at=None).count() == 2
    assert find_violations() == []
