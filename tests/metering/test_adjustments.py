from datetime import UTC, datetime
from decimal import Decimal

import pytest

from metering.adjustments import AdjustmentFact, is_corrected_since, list_adjustments, read_adjusted
from metering.corrections import retract_event
from metering.invariants import check
from metering.limits import LimitTerms, close_window, hand_over_limits
from tests.metering.makers import NOON, make_account, make_events, make_meter

pytestmark = pytest.mark.django_db

NOVEMBER, DECEMBER = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)


def make_closed(key: str, meter_id: int) -> int:
    account_id = make_account(key).id
    terms = [LimitTerms(meter_id=meter_id, quantity=None, is_hard=False)]
    hand_over_limits(account_ids=[account_id], terms=terms, start=NOVEMBER, end=DECEMBER, at=NOON)
    make_events(3, subject=key, source=key)
    close_window(account_id=account_id, start=NOVEMBER, end=DECEMBER, at=DECEMBER)
    return account_id


def test_late_usage_and_corrections_of_a_closed_window_are_listed_in_their_order():
    meter_id = make_meter().id
    acme, other = make_closed("acme", meter_id), make_closed("other", meter_id)
    make_events(2, subject="acme", source="late", at=NOON)
    retract_event("acme", "1", reason="a test", made_by="ops", at=DECEMBER)
    late, corrected = list_adjustments(account_id=acme)
    assert late == AdjustmentFact(
        late.id, acme, meter_id, "requests", NOVEMBER, DECEMBER, Decimal(2), "late", late.made_at
    )
    assert (corrected.quantity, corrected.cause, corrected.made_at) == (-1, "correction", DECEMBER)
    assert list_adjustments(after=late.id) == [corrected]
    assert list_adjustments(account_id=other) == []
    assert list_adjustments(start=NOVEMBER, end=DECEMBER) == [late, corrected]
    assert list_adjustments(start=DECEMBER) == list_adjustments(end=NOVEMBER) == []
    window = {"meter_id": meter_id, "start": NOVEMBER, "end": DECEMBER}
    assert read_adjusted(account_id=acme, **window) == 1
    assert read_adjusted(account_id=other, **window) == 0
    assert list(check()) == []


def test_of_an_open_window_nothing_is_known():
    meter, account = make_meter(), make_account()
    terms = [LimitTerms(meter_id=meter.id, quantity=None, is_hard=False)]
    hand_over_limits(account_ids=[account.id], terms=terms, start=NOVEMBER, end=DECEMBER, at=NOON)
    window = {"account_id": account.id, "meter_id": meter.id, "start": NOVEMBER, "end": DECEMBER}
    assert read_adjusted(**window) is None


def test_whether_anything_was_corrected_since_a_moment():
    make_closed("acme", make_meter().id)
    assert not is_corrected_since(NOON)
    retract_event("acme", "1", reason="a test", made_by="ops", at=DECEMBER)
    assert is_corrected_since(NOON)
    assert not is_corrected_since(DECEMBER)
