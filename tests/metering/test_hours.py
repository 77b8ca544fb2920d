from datetime import timedelta
from decimal import Decimal

import pytest

from metering.usage import HourSpan, read_hours
from tests.metering.makers import NOON, make_account, make_events, make_meter

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def test_only_hours_that_counted_something_are_read_in_one_statement(django_assert_num_queries):
    account, meter = make_account("acme"), make_meter("requests")
    make_events(2, time=NOON - HOUR)
    make_events(3, time=NOON + 2 * HOUR, first=3)
    spans = {
        "all": HourSpan(account.id, meter.id, NOON - HOUR, NOON + 3 * HOUR),
        "less": HourSpan(account.id, meter.id, NOON, NOON + 2 * HOUR),
    }
    with django_assert_num_queries(1):
        found = read_hours(spans)
    assert found == {"all": [(NOON - HOUR, Decimal(2)), (NOON + 2 * HOUR, Decimal(3))], "less": []}
    assert read_hours({}) == {}
