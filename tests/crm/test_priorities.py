from datetime import UTC, datetime
from decimal import Decimal

import pytest

from crm.models import Priority, Severity
from crm.priorities import find_level, find_priority, weigh
from metering.alerts import AlertFact

AT = datetime(2026, 6, 10, tzinfo=UTC)


def make_alert(**fields):
    plain = {
        "id": 1,
        "account_id": 1,
        "meter_id": 1,
        "meter_key": "requests",
        "meter_name": "Requests",
        "unit": "request",
        "level": Decimal(80),
        "used": Decimal(210),
        "quantity": Decimal(250),
        "start": AT,
        "end": AT,
        "crossed_at": AT,
        "detected_at": AT,
    }
    return AlertFact(**(plain | fields))


CLOSE = make_alert()
FULL = make_alert(level=Decimal(100), severity="critical")
FORECAST = make_alert(kind="forecast", level=Decimal(100))
ANOMALY = make_alert(kind="anomaly", level_unit="absolute", level=Decimal(7))
SPEND = make_alert(kind="spend", level_unit="absolute", level=Decimal(500), severity="critical")
COMMITMENT = make_alert(kind="commitment", level=Decimal(70), severity="info")
HALF, MORE = Decimal("0.5"), Decimal("0.501")


@pytest.mark.parametrize(
    ("standing", "chances", "priority"),
    [
        ([CLOSE], [], Priority.NORMAL),
        ([CLOSE], [None], Priority.NORMAL),
        ([CLOSE], [HALF], Priority.LOW),
        ([CLOSE], [MORE], Priority.NORMAL),
        ([CLOSE], [HALF, MORE], Priority.NORMAL),
        ([CLOSE], [HALF, None], Priority.NORMAL),
        ([], [HALF], Priority.LOW),
        ([], [], Priority.NORMAL),
        ([CLOSE, FULL], [HALF], Priority.HIGH),
        ([FORECAST], [HALF], Priority.HIGH),
        ([CLOSE, ANOMALY], [HALF], Priority.NORMAL),
        ([COMMITMENT], [], Priority.NORMAL),
        ([SPEND], [], Priority.HIGH),
        ([make_alert(level=Decimal("99.999999999999"), severity="critical")], [], Priority.NORMAL),
    ],
)
def test_a_priority_follows_what_stands_and_what_is_expected(standing, chances, priority):
    assert find_priority(standing, chances) == priority


def test_alerts_weigh_by_severity_then_by_the_percentage_reached_or_expected():
    worst = make_alert(level=Decimal(125), severity="critical")
    ascending = [COMMITMENT, ANOMALY, CLOSE, FORECAST, SPEND, FULL, worst]

    assert sorted([FULL, CLOSE, worst, COMMITMENT, SPEND, ANOMALY, FORECAST], key=weigh) == ascending
    assert weigh(FORECAST) == (Severity.WARNING, Decimal(100))


@pytest.mark.parametrize(("alert", "level"), [(CLOSE, Decimal(80)), (FORECAST, None), (SPEND, None)])
def test_only_usage_in_percent_has_reached_a_level(alert, level):
    assert find_level(alert) == level
