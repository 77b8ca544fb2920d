# ruff: noqa: S608  (statements of constants)
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection

from metering.invariants import COUNTED_RULES, RULES, check
from metering.limits import LimitTerms, hand_over_limits
from metering.reservations import hold_quantity
from tests.metering.makers import NOON, make_account, make_events, make_key, make_meter

pytestmark = pytest.mark.django_db

NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


def break_by_hand(sql: str) -> Callable[[], None]:
    """What nobody can do through the project: the triggers that forbid it are off."""

    def act() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(sql)
            cursor.execute("SET LOCAL session_replication_role = DEFAULT")

    return act


@pytest.fixture
def usage() -> None:
    """Twelve events of ten allowed, so that 80 and 100 % were reached, and one that waits for its account."""
    account, meter = make_account(), make_meter()
    make_meter("bytes", value="bytes", event_type="request")
    hand_over_limits(
        account_ids=[account.id],
        terms=[LimitTerms(meter_id=meter.id, quantity=10, is_hard=False)],
        start=NOVEMBER,
        end=DECEMBER,
        at=NOON,
    )
    make_events(12, bytes=5)
    make_events(1, subject="stranger", first=90, bytes=5)
    make_key()
    hold_quantity(account_key="acme", meter_key="requests", quantity=Decimal(5), at=NOON)


def test_sound_data_has_nothing_to_tell(usage):
    assert list(check()) == []


ADJUST = """
    INSERT INTO metering_adjustment (limit_id, account_id, meter_id, starts_at, ends_at, quantity, cause, made_at)
    SELECT id, account_id, meter_id, starts_at, ends_at, 1, 'late', now() FROM metering_limit
"""

FORECAST = """
    INSERT INTO metering_forecast (limit_id, account_id, meter_id, epoch, made_at, used, quantity, is_learning,
        days_of_data, total_low, total_mid, total_high, run_rate_total, reason, reason_params, {columns})
    SELECT id, account_id, meter_id, epoch, now(), 0, 10, false, 9, 1, 1, 1, 1, '', '{{}}', {values} FROM metering_limit
"""

COPY_ALERTS = """
    INSERT INTO metering_alert (account_id, meter_id, limit_id, starts_at, ends_at, epoch, level, used, quantity,
        crossed_at, detected_at, state, arming)
    SELECT account_id, meter_id, limit_id, starts_at, ends_at, epoch, level, used, quantity,
        crossed_at, detected_at, state, {arming} FROM metering_alert
"""

EXPECTED = """
    INSERT INTO metering_forecast (account_id, meter_id, limit_id, epoch, made_at, used, quantity, is_learning,
        days_of_data, total_low, total_mid, total_high, run_rate_total, reason, reason_params)
    SELECT account_id, meter_id, id, epoch, now(), used, quantity, false, 30, used, used, used, used, '', '{}'
    FROM metering_limit
"""

BREAKS = {
    "what a replay kept has its claim": [
        """
        INSERT INTO metering_rejectedevent (api_key_id, digest, received_at, last_at, times, source, event_id, code,
            field, message, body, is_whole, is_cut, replayed_at, replay_fate)
        SELECT id, gen_random_uuid(), now(), now(), 1, 'test', 'never', 'unknown_type', 'type', '…', '', false, false,
            now(), 'accepted' FROM metering_apikey
        """,
    ],
    "an event has its claim, the hash of its source and id": [
        "UPDATE metering_event SET source = 'forged' WHERE event_id = '1'",
        "DELETE FROM metering_claim",
    ],
    "a source and an id are stored once": [
        "INSERT INTO metering_event SELECT * FROM metering_event WHERE event_id = '1'",
    ],
    "a claim has its event, unless that was pruned": ["DELETE FROM metering_event WHERE event_id = '90'"],
    "an event belongs to the account that its subject names": [
        "UPDATE metering_event SET account_id = NULL WHERE event_id = '1'",
        "UPDATE metering_event SET account_id = 999 WHERE event_id = '90'",
        "INSERT INTO metering_alias (name, account_id) SELECT 'stranger', id FROM metering_account",
    ],
    "an event was sent with a key that exists": ["UPDATE metering_event SET api_key_id = 999 WHERE event_id = '1'"],
    "an event is of a type that a meter counts": ["UPDATE metering_event SET type = 'nothing' WHERE event_id = '90'"],
    "rollups equal the raw events": [
        "UPDATE metering_hourlyrollup SET total = total + 0.000000000001",
        "UPDATE metering_hourlyrollup SET event_count = event_count - 1",
        "DELETE FROM metering_hourlyrollup",
        "DELETE FROM metering_event WHERE event_id = '7'",
        "UPDATE metering_event SET data = '{\"bytes\": 6}' WHERE event_id = '7'",
        "UPDATE metering_hourlyrollup SET hour = hour + interval '1 hour'",
        "UPDATE metering_hourlyrollup SET minimum = 1",
        "UPDATE metering_hourlyrollup SET digest = digest + 1",
        "UPDATE metering_event SET data = data || '{\"note\": 1}' WHERE event_id = '7'",
        "UPDATE metering_event SET happened_at = happened_at + interval '1 microsecond' WHERE event_id = '7'",
        "INSERT INTO metering_valuerollup (account_id, meter_id, hour, dimensions, value, event_count)"
        " SELECT account_id, meter_id, hour, '', '1', 1 FROM metering_hourlyrollup",
    ],
    "a running total equals the usage in its window": [
        "UPDATE metering_limit SET used = used + 0.000000000001",
        "UPDATE metering_limit SET starts_at = '2026-11-20'",
    ],
    "what a limit holds is held by its open reservations": [
        "UPDATE metering_limit SET held = held + 0.000000000001",
        "UPDATE metering_reservation SET state = 'released', ended_at = now()",
        "DELETE FROM metering_reservation",
    ],
    "a reservation is of its limit's account and meter": [
        "UPDATE metering_reservation SET meter_id = meter_id + 1",
        "UPDATE metering_reservation SET expires_at = '2026-12-01 00:00:01+00'",
    ],
    "an account goes by its own key": ["DELETE FROM metering_alias WHERE name = 'acme'"],
    "an alert is justified by what it saw": ["UPDATE metering_alert SET used = 7.99 WHERE level = 80"],
    "an alert is about its limit's window": [
        "UPDATE metering_alert SET ends_at = '2026-11-30'",
        "UPDATE metering_alert SET epoch = 5",
    ],
    "a level speaks once": [
        f"""SET CONSTRAINTS ALL IMMEDIATE;
        ALTER TABLE metering_alert DROP CONSTRAINT alert_speaks_once;
        {COPY_ALERTS.format(arming=1)}"""
    ],
    "a forecast is of its limit's account, meter and epochs": [
        f"{EXPECTED}; UPDATE metering_forecast SET meter_id = meter_id + 1",
        f"{EXPECTED}; UPDATE metering_forecast SET epoch = 9",
    ],
    "a forecast has its ranges in order": [
        f"""SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE metering_forecast DROP CONSTRAINT forecast_totals_in_order;
        {EXPECTED}; UPDATE metering_forecast SET total_mid = total_low - 1""",
        f"""SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE metering_forecast DROP CONSTRAINT forecast_dates_in_order;
        {EXPECTED}; UPDATE metering_forecast SET hit_mid = now()""",
        f"""{EXPECTED};
        UPDATE metering_forecast SET quantity = NULL, hit_low = now(), hit_mid = now(), hit_high = now()""",
    ],
    "what adds up is not expected to become less": [
        f"{EXPECTED}; UPDATE metering_forecast SET total_low = used - 0.000000000001"
    ],
    "a level is armed again before it speaks again": [f"{COPY_ALERTS.format(arming=2)} WHERE level = 80"],
    "an alarm of the forecast says what it expected": ["UPDATE metering_alert SET kind = 'forecast'"],
    "what is not told is not handed out": ["UPDATE metering_alert SET claimed_at = now()"],
    "what is told is announced, what is not is not": [
        "DELETE FROM metering_notice",
        "UPDATE metering_alert SET state = 'told'",
        "UPDATE metering_alert SET state = 'suppressed', silence = 'flap'",
    ],
    "what was reached or left is on record or about to be": [
        "DELETE FROM metering_notice; DELETE FROM metering_alert;"
        " UPDATE metering_limit SET next_crossing = NULL, needs_check = false",
        "UPDATE metering_limit SET used = 7.5, needs_check = false",
    ],
    "adjustments say what changed since a window was closed": [
        "UPDATE metering_limit SET closed_at = now(), used_at_close = used - 0.000000000001",
        f"UPDATE metering_limit SET closed_at = now(), used_at_close = used; {ADJUST}",
    ],
    "an adjustment is about a window that was closed": [
        ADJUST,
        f"UPDATE metering_limit SET closed_at = now(); {ADJUST}; UPDATE metering_adjustment SET account_id = 999",
    ],
    "what replaces an event is stored, unless that was pruned": [
        """INSERT INTO metering_correction
            (source, event_id, kind, replacement_source, replacement_id, reason, made_by, made_at)
        VALUES ('test', '1', 'replace', 'test', '1b', 'wrong', 'ops', now())""",
    ],
    "an import accounts for every line": [
        """INSERT INTO metering_usageimport
            (source, file_name, "offset", digest, lines, accepted, duplicates, rejected, unmatched, unused,
            shift_seconds, started_at)
        VALUES ('log', 'log', 90, '', 3, 1, 0, 1, 0, 0, 0, now())""",
        """INSERT INTO metering_usageimport
            (source, file_name, "offset", digest, lines, accepted, duplicates, rejected, unmatched, unused,
            shift_seconds, started_at)
        VALUES ('log', 'log', 90, '', 2, 1, 0, 1, 0, 0, 0, now())""",
    ],
    "a window is graded after its end, and what it said after it": [
        "UPDATE metering_limit SET graded_at = ends_at - interval '1 day'",
        "UPDATE metering_alert SET graded_at = now(), outcome = 'not_graded'",
    ],
    "a forecast is graded exactly when its window is": [
        FORECAST.format(columns="graded_at, closing_total", values="now(), 12"),
    ],
    "a grade says when the limit was reached exactly when it was": [
        "UPDATE metering_alert SET graded_at = now(), outcome = 'reached'",
        FORECAST.format(columns="was_reached", values="true"),
    ],
    "a level that was reached has spoken or is about to": [
        "UPDATE metering_limit SET next_crossing = 8, needs_check = false"
    ],
}


@pytest.mark.parametrize(("rule", "sql"), [(rule, sql) for rule, all_sql in BREAKS.items() for sql in all_sql])
def test_each_rule_finds_what_breaks_it(usage, rule, sql):
    break_by_hand(sql)()
    assert rule in {violation.rule for violation in check()}


def test_every_rule_is_broken_once_here():
    assert set(BREAKS) == {*RULES, *COUNTED_RULES}
