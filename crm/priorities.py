"""How soon a lead wants a call: by what stands at the moment and what is expected of it. Knows no database.

High: a limit is reached, a forecast says that one will be, or something else that stands is critical. Low: nothing of
that, and the latest forecast of every limit that the lead is about holds it for unlikely that it is reached before it
resets. Normal: all else, so what nobody can forecast is never left behind.
"""

from collections.abc import Collection
from decimal import Decimal

from crm.models import Priority, Severity
from metering.alerts import AlertFact

REACHED = Decimal(100)  # percent of the limit
UNLIKELY = Decimal("0.5")  # the chance at which a forecast's alarm is cleared

RANKS = {"info": Severity.INFO, "warning": Severity.WARNING, "critical": Severity.CRITICAL}


def find_priority(standing: Collection[AlertFact], chances: Collection[Decimal | None]) -> Priority:
    """`standing` are the account's alarms that nothing has cleared; `chances` one for each limit the lead is about.

    A chance of None is not known: there is no forecast of this limit as it is now, or it is still learning.
    """
    if any(is_pressing(alert) for alert in standing):
        return Priority.HIGH
    is_foreseen = bool(chances) and all(is_of_limit(alert) for alert in standing)
    if is_foreseen and all(chance is not None and chance <= UNLIKELY for chance in chances):
        return Priority.LOW
    return Priority.NORMAL


def is_pressing(alert: AlertFact) -> bool:
    if alert.kind == "forecast":
        return True
    level = find_level(alert)
    return level >= REACHED if level is not None else find_rank(alert) == Severity.CRITICAL


def is_of_limit(alert: AlertFact) -> bool:
    return alert.kind in ("usage", "forecast")


def find_rank(alert: AlertFact) -> Severity:
    return RANKS[alert.severity]


def find_level(alert: AlertFact) -> Decimal | None:
    """The percentage of its limit that was reached; None where an alert is about something else."""
    return alert.level if alert.kind == "usage" and alert.level_unit == "percent" else None


def weigh(alert: AlertFact) -> tuple[Severity, Decimal]:
    """What makes one alert worse than another: its severity, then the percentage of a limit reached or expected."""
    level = alert.level if is_of_limit(alert) and alert.level_unit == "percent" else Decimal(0)
    return find_rank(alert), level
