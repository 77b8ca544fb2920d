"""Forecasts of the limits that moved, each at most once an hour, however many schedulers there are.

A run claims limits batch by batch: `forecast_at` says in which hour one was last taken, so that nobody else takes it in
that hour. What it has to do stays with the limit (`needs_forecast`) until the forecast is on record: a limit whose
forecast was lost with its process, or failed, is taken again in the next hour.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import LiteralString

from django.db import DatabaseError, transaction

from metering import alerts
from metering.calendars import DAY, HOUR
from metering.events import floor_hour
from metering.forecast.calibrations import Calibrations, read_calibrations
from metering.forecast.cohorts import CohortKey, Cohorts
from metering.forecast.expecting import LimitState, ask_history, expect_usage, find_step
from metering.forecast.facts import LEARNING_DAYS, Expectation
from metering.forecast.histories import History, read_histories
from metering.forecast.records import record_forecasts
from metering.locks import hold_limits_for_change
from metering.statements import bigint_array, plain_array, run_statement

logger = logging.getLogger(__name__)

BATCH = 100
STALE = DAY  # after which a limit that stands still is looked at again, while an alert of it stands

# An alert that stands is looked at daily, since the time that passes makes its limit less likely to be reached.
RENEW: LiteralString = """
    WITH standing AS MATERIALIZED (
        SELECT l.id FROM metering_limit l WHERE NOT l.needs_forecast AND l.closed_at IS NULL AND l.ends_at > %s
            AND l.forecast_at <= %s AND l.id IN (
                SELECT a.limit_id FROM metering_alert a
                WHERE a.ends_at > %s AND a.graded_at IS NULL AND a.resolved_at IS NULL AND a.state = 'told'
            )
        ORDER BY l.id FOR UPDATE OF l SKIP LOCKED
    )
    UPDATE metering_limit l SET needs_forecast = true FROM standing WHERE l.id = standing.id
"""

FORGET: LiteralString = """
    WITH ended AS MATERIALIZED (
        SELECT id FROM metering_limit WHERE needs_forecast AND (ends_at <= %s OR closed_at IS NOT NULL)
        ORDER BY id FOR UPDATE SKIP LOCKED
    )
    UPDATE metering_limit l SET needs_forecast = false FROM ended WHERE l.id = ended.id
"""

# Nobody is waited for: what another holds is taken in a later run.
CLAIM: LiteralString = """
    WITH due AS MATERIALIZED (
        SELECT id FROM metering_limit
        WHERE needs_forecast AND id > %s AND closed_at IS NULL AND starts_at <= %s AND ends_at > %s
            AND (forecast_at IS NULL OR forecast_at < %s)
        ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
    )
    UPDATE metering_limit l SET forecast_at = %s FROM due, metering_meter m WHERE l.id = due.id AND m.id = l.meter_id
    RETURNING l.id, l.account_id, l.meter_id, m.aggregation, m.carries_over, l.plan, l.starts_at, l.ends_at, l.used,
        l.quantity, l.epoch
"""

# What moved since it was read needs another, in the next hour.
SETTLE: LiteralString = """
    UPDATE metering_limit l SET needs_forecast = false FROM unnest(%s::bigint[], %s::numeric[], %s::int[])
        AS w (id, used, epoch) WHERE l.id = w.id AND l.used = w.used AND l.epoch = w.epoch
"""


def forecast_moved_limits(*, at: datetime, batch: int = BATCH) -> int:
    """Forecast what moved since its last forecast, but for what had one in this hour; returns how many were made.

    Also, once a day, limits that stand still while an alert of theirs stands. Each batch is on record, and its alarms
    with it, before the next is begun. A second call in the same hour makes none. Memory follows the batch.
    """
    renew_and_forget(at=at)
    hour, cohorts, made, last = floor_hour(at), Cohorts(at), 0, 0
    while True:
        states = claim_limits(after=last, batch=batch, at=at)
        if not states:
            return made
        made += record_batch(states, expect_all(states, cohorts, at=at), hour=hour, at=at)
        last = max(state.limit_id for state in states)


@transaction.atomic
def renew_and_forget(*, at: datetime) -> None:
    hold_limits_for_change()
    run_statement(RENEW, [at, floor_hour(at) - STALE, at])
    run_statement(FORGET, [at])


@transaction.atomic
def claim_limits(*, after: int, batch: int, at: datetime) -> list[LimitState]:
    """The next limits that are due, in the order of their ids, taken for this hour."""
    hold_limits_for_change()
    hour = floor_hour(at)
    rows = run_statement(CLAIM, [after, at, at, hour, batch, hour])
    return sorted((LimitState(*row) for row in rows), key=lambda state: state.limit_id)


def expect_all(states: Sequence[LimitState], cohorts: Cohorts, *, at: datetime) -> dict[int, Expectation]:
    """limit id → what is expected of it. One that cannot be worked out is logged and left out; the others go on."""
    try:
        histories = read_histories({state.limit_id: ask_history(state, at=at) for state in states})
        calibrations = read_calibrations(sorted({state.meter_id for state in states}))
        learning = [state for state in states if is_learning(state, histories[state.limit_id], at=at)]
        cohorts.learn_of([CohortKey(state.plan, state.meter_id) for state in learning])
    except DatabaseError:
        if len(states) == 1:
            logger.exception("the past of limit %s could not be read", states[0].limit_id)
            return {}
        return {key: each for state in states for key, each in expect_all([state], cohorts, at=at).items()}
    expected: dict[int, Expectation] = {}
    for state in states:
        try:
            expected[state.limit_id] = expect_one(state, histories, calibrations, cohorts, at=at)
        except Exception:
            logger.exception("limit %s could not be forecast", state.limit_id)
    return expected


def is_learning(state: LimitState, history: History, *, at: datetime) -> bool:
    return state.is_flow and (history.first is None or at - history.first < int(LEARNING_DAYS) * DAY + HOUR)


def expect_one(
    state: LimitState, histories: Mapping[int, History], calibrations: Calibrations, cohorts: Cohorts, *, at: datetime
) -> Expectation:
    calibration = calibrations.find(state.meter_id, find_step(state.start, state.end, at=at))
    cohort = cohorts.find(CohortKey(state.plan, state.meter_id))
    return expect_usage(state, histories[state.limit_id], at=at, calibration=calibration, cohort=cohort)


@transaction.atomic
def record_batch(
    states: Sequence[LimitState], expected: Mapping[int, Expectation], *, hour: datetime, at: datetime
) -> int:
    """Forecasts, the alarms that they give, and that these limits need none any more: all or nothing."""
    recorded = record_forecasts(expected, at=hour)
    done = [state for state in states if state.limit_id in expected]
    if done:
        used, epochs = plain_array([f"{state.used:f}" for state in done]), plain_array([state.epoch for state in done])
        run_statement(SETTLE, [bigint_array([state.limit_id for state in done]), used, epochs])
    alerts.observe_forecasts(recorded, at=at)
    return len(recorded)
