"""What the server has."""

from datetime import timedelta

from django.db import connection
from django.utils import timezone

from metering.accounts import find_account
from metering.invariants import check
from metering.usage import read_usage


def read_ids() -> list[str]:
    """Of every event that is stored."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT event_id FROM metering_event")
        return [event_id for (event_id,) in cursor.fetchall()]


def require_counted_once() -> set[str]:
    """The ids of what is stored, when each is there once and the usage is as many."""
    ids = read_ids()
    now = timezone.now()
    account = find_account("acme")
    assert account is not None
    usage = read_usage(
        account_id=account.id, meter_key="requests", start=now - timedelta(days=1), end=now + timedelta(days=1)
    )
    assert len(set(ids)) == len(ids) == usage.quantity
    assert list(check()) == []
    return set(ids)
