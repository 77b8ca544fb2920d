"""The lean reading of many spans finds what the general one does."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from metering.ingest import ingest_events
from metering.meters import create_meter
from metering.usage import read_totals, read_totals_between
from tests.metering.makers import make_account, make_event

pytestmark = pytest.mark.django_db

DAY = datetime(2026, 11, 10, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
TYPE = "request"
PLAIN, OTHERS = ["count", "sum", "avg"], ["latest", "max"]


@pytest.fixture
def account_ids():
    """Two accounts with events at and around full hours; each meter is called like its aggregation."""
    for aggregation in [*PLAIN, *OTHERS]:
        value = "" if aggregation == "count" else "bytes"
        create_meter(
            key=aggregation,
            name=aggregation,
            event_type=TYPE,
            aggregation=aggregation,
            value=value,
            unit="unit",
            at=DAY,
        )
    accounts = [make_account(key) for key in ("acme", "beta")]
    times = [DAY, DAY + HOUR - SECOND, DAY + HOUR, DAY + 3 * HOUR, DAY + 5 * HOUR + SECOND]
    events = [
        make_event(f"{account.key} {n}", subject=account.key, time=time, bytes=7 * n + account.id)
        for account in accounts
        for n, time in enumerate(times)
    ]
    ingest_events(events, at=DAY + 6 * HOUR)
    return [account.id for account in accounts]


def read_each(account_id, bounds, meter_keys):
    """As the general statement has it, window by window."""
    return [
        [
            reading
            for reading in read_totals(account_id=account_id, start=start, end=end, with_digests=True)
            if reading.meter_key in meter_keys
        ]
        for start, end in pairwise(bounds)
    ]


@pytest.mark.parametrize("meter_keys", [PLAIN, [*PLAIN, *OTHERS], OTHERS])
def test_readings_are_those_of_the_general_statement(account_ids, meter_keys):
    acme, beta = account_ids
    asked = {
        "hours": (acme, [DAY, DAY + HOUR, DAY + 4 * HOUR, DAY + 6 * HOUR]),
        "within an hour": (beta, [DAY + SECOND, DAY + HOUR + SECOND]),
        "nothing": (beta, [DAY - 2 * HOUR, DAY]),
        "whole": (beta, [DAY, DAY + 24 * HOUR]),
    }
    found = read_totals_between(asked, meter_keys=meter_keys, with_digests=True)
    assert found == {key: read_each(account_id, bounds, meter_keys) for key, (account_id, bounds) in asked.items()}
    assert [reading.event_count for reading in found["whole"][0]] == [5] * len(meter_keys)


@pytest.mark.parametrize(("meter_keys", "statements"), [(PLAIN, 2), (OTHERS, 2), ([*PLAIN, *OTHERS], 3)])
def test_any_number_of_spans_costs_as_many_statements_and_names_no_event(account_ids, meter_keys, statements):
    asked = {n: (account_ids[n % 2], [DAY + n * HOUR, DAY + (n + 2) * HOUR]) for n in range(6)}
    with CaptureQueriesContext(connection) as captured:
        read_totals_between(asked, meter_keys=meter_keys)
    assert len(captured) == statements
    assert not any("metering_event" in query["sql"] for query in captured)
