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
from metering.ingest import ingest_events
from metering.invariants import check
from metering.limits import LimitTerms, hand_over_limits
from metering.reservations import hold_quantity
from tests.metering.makers import make_account, make_event, make_meter
from tests.metering.rest.makers import Caller

EXAMPLES = 10  # of each operation, beside the edges of every parameter
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


NAMES = {
    "account_key": "acme",
    "account": "acme",
    "meter": "gpu_minutes",
    "source": "urn:example:shop",
    "id": "req-1f0c",
}


@pytest.fixture
def names(database: None) -> dict[str, str]:
    """What there is, by the parameters that may name it: an account, a meter, an event of it, a reservation."""
    at = timezone.now()
    account, meter = make_account("acme"), make_meter("gpu_minutes", event_type="api.request", value="bytes")
    hand_over_limits(
        account_ids=[account.id],
        terms=[LimitTerms(meter.id, Decimal(1000), is_hard=True)],
        start=at - timedelta(days=1),
        end=at + timedelta(days=1),
        at=at,
    )
    ingest_events([make_event(NAMES["id"], source=NAMES["source"], type="api.request", time=at, bytes=5)], at=at)
    hold = hold_quantity(account_key="acme", meter_key="gpu_minutes", quantity=Decimal(1), at=at)
    return NAMES | {"reservation_id": str(hold.reservation.id)}


@pytest.fixture
def bearer(database: None) -> str:
    return Caller().headers["HTTP_AUTHORIZATION"]


@pytest.fixture
def statuses() -> Iterator[set[int]]:
    """Of the answers; some must have been good ones, or nothing was proved but how requests are refused."""
    seen: set[int] = set()
    yield seen
    assert any(200 <= status < 300 for status in seen), seen


@schema.parametrize()
@at_random
def test_the_api_answers_as_it_is_described(case: Any, names: dict[str, str], bearer: str, statuses: set[int]):
    case.headers["Authorization"] = bearer
    if is_even(case):  # chance would not find what is there
        name_what_is_there(case, names)
    response = case.call()
    statuses.add(response.status_code)
    case.validate_response(response, checks=CHECKS)


def is_even(case: Any) -> bool:
    """The same half of the cases in every run."""
    return crc32(repr((case.path_parameters, case.query, case.body)).encode()) % 2 == 0


def name_what_is_there(case: Any, names: dict[str, str]) -> None:
    for parameters in (case.path_parameters or {}, case.query or {}):
        for name in parameters.keys() & names:
            parameters[name] = [names[name]] if isinstance(parameters[name], list) else names[name]


@schema.parametrize()
@settings(at_random, max_examples=1, phases=[Phase.explicit, Phase.generate])
def test_nothing_is_told_without_a_key(case: Any, database: None):
    case.headers.pop("Authorization", None)
    assert case.call().status_code in (401, 404, 405, 429)  # the path is none; too many tried
