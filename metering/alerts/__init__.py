"""Alerts: what reached a level, who is to hear of it, and when it is over. The door to this room.

A level speaks once per account, meter or subject, window, epoch, level and arming.
"""

from metering.alerts.claims import claim_alerts, list_alerts, list_standing
from metering.alerts.detection import (
    check_limits,
    find_next_crossing,
    keep_raised_limit_quiet,
    record_crossings,
)
from metering.alerts.facts import AlertFact, Observation, read_alerts, state_alert
from metering.alerts.observing import observe
from metering.alerts.rules import list_live_kinds
from metering.models import AlertCause, AlertKind, LevelUnit

__all__ = [
    "AlertCause",
    "AlertFact",
    "AlertKind",
    "LevelUnit",
    "Observation",
    "check_limits",
    "claim_alerts",
    "find_next_crossing",
    "keep_raised_limit_quiet",
    "list_alerts",
    "list_live_kinds",
    "list_standing",
    "observe",
    "read_alerts",
    "record_crossings",
    "state_alert",
]
