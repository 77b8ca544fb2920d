"""Alerts: what reached a level, who is to hear of it, and when it is over. The door to this room.

A level speaks once per account, meter or subject, window, epoch, level and arming.
"""

from metering.alerts.claims import claim_alerts, list_alerts
from metering.alerts.detection import check_limits, record_crossings, set_first_crossings
from metering.alerts.ending import end_limits_alerts
from metering.alerts.facts import AlertFact, Observation, read_alerts, state_alert
from metering.alerts.forecasts import observe_forecasts
from metering.alerts.observing import observe
from metering.alerts.rules import list_live_kinds
from metering.alerts.snoozes import SnoozeFact, SnoozeWithoutEnd, end_snooze, list_snoozes, snooze
from metering.alerts.standing import list_standing, mark_acted_on
from metering.models import AlertCause, AlertKind, LevelUnit

__all__ = [
    "AlertCause",
    "AlertFact",
    "AlertKind",
    "LevelUnit",
    "Observation",
    "SnoozeFact",
    "SnoozeWithoutEnd",
    "check_limits",
    "claim_alerts",
    "end_limits_alerts",
    "end_snooze",
    "list_alerts",
    "list_live_kinds",
    "list_snoozes",
    "list_standing",
    "mark_acted_on",
    "observe",
    "observe_forecasts",
    "read_alerts",
    "record_crossings",
    "set_first_crossings",
    "snooze",
    "state_alert",
]
