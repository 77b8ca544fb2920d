"""The API keeps to its own description: whatever is sent, no status but those that it names, and no 5xx."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zlib import crc32

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from config.wsgi import application
from metering.invariants import check
from metering.limits import LimitTerms, hand_over_limits
from metering.reservations import hold_quantity
from tests.metering.makers import make_account, make_meter
from tests.metering.rest.makers import Caller

EXAMPLES = 20  # of each operation, beside the edges of every parameter
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    unsupported_method,
]

schema = schemathesis.openapi.from_wsgi("/api/schema/", application)
at_random = settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


@schemathesis.serializer("application/x-ndjson")
def write_lines(ctx: Any, value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else b""


@pytest.fixture
def database(db: None) -> Iterator[None]:
    """A request ends without closing the connection, which holds the transaction of the test."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)
    assert list(check()) == []


@pytest.fixture
def existing(database: None) -> dict[str, str]:
    """What the parameters of the paths are called where there is something; and a key that may do everything."""
    at = timezone.now()
    account, meter = make_account("acme"), make_meter("gpu_minutes", event_type="api.request", value="bytes")
    hand_over_limits(
        account_ids=[account.id],
        terms=[LimitTerms(meter.id, Decimal(1000), is_hard=True)],
        start=at - timedelta(days=1),
        end=at + timedelta(days=1),
        at=at,
    )
    hold = hold_quantity(account_key="acme", meter_key="gpu_minutes", quantity=Decimal(1), at=at)
    return {
        "account_key": "acme",
        "reservation_id": str(hold.reservation.id),
        "bearer": Caller().headers["HTTP_AUTHORIZATION"],
    }


@schema.parametrize()
@at_random
def test_the_api_answers_as_it_is_described(case: Any, existing: dict[str, str]):
    case.headers["Authorization"] = existing["bearer"]
    if is_even(case):  # chance would not find what is there
        for name in case.path_parameters or {}:
            case.path_parameters[name] = existing.get(name, case.path_parameters[name])
    case.call_and_validate(checks=CHECKS)


def is_even(case: Any) -> bool:
    """The same half of the cases in every run."""
    return crc32(repr((case.path_parameters, case.query, case.body)).encode()) % 2 == 0


@schema.parametrize()
@settings(at_random, max_examples=1, phases=[Phase.explicit, Phase.generate])
def test_nothing_is_told_without_a_key(case: Any, database: None):
    case.headers.pop("Authorization", None)
    assert case.call().status_code in (401, 404, 405, 429)  # the path is none; too many tried
