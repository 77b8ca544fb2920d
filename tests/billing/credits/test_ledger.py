from collections import Counter
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing import invariants
from billing.credits import grants, settling
from billing.credits.grants import RecurrenceTerms
from billing.credits.spending import refund_burns
from billing.models import CreditEntry, CreditGrant
from billing.periods import Interval
from tests.billing.credits.makers import DAY, NOON, burn, give
from tests.billing.makers import make_account

pytestmark = pytest.mark.django_db

accounts, bills = count(1), count(1)

GRANT = st.tuples(
    st.just("grant"), st.integers(1, 500), st.integers(0, 2), st.none() | st.integers(1, 40), st.booleans()
)
STEPS = st.lists(
    GRANT
    | st.tuples(st.just("burn"), st.lists(st.integers(-50, 400), max_size=3))
    | st.tuples(st.just("refund"), st.integers(0, 5))
    | st.tuples(st.just("void"), st.integers(0, 5))
    | st.tuples(st.just("wait"), st.integers(1, 20)),
    max_size=12,
)


def take_step(account_id, step, *, at, keys):
    match step:
        case ("grant", amount, priority, days, recurs):
            recurrence = RecurrenceTerms(Interval.WEEK, 10, 60) if recurs else None
            expires_at = at + timedelta(days=days) if days and not recurs else None
            give(amount, account_id=account_id, at=at, priority=priority, expires_at=expires_at, recurrence=recurrence)
        case ("burn", amounts):
            keys.append(f"bill {next(bills)}")
            burn(account_id, *amounts, key=keys[-1], at=at)
        case ("refund", number) if keys:
            refund_burns(account_id, key=keys[number % len(keys)], at=at)
        case ("void", number):
            mine = CreditGrant.objects.filter(account_id=account_id, voided_at__isnull=True).order_by("pk")
            if mine:
                grants.void_grant(mine[number % len(mine)].pk, at=at)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_no_grant_was_ever_below_nothing_whatever_came_in_whatever_order(steps):
    """Read as it was written, entry by entry: each grant's sum never falls below zero, nor does what was taken grow."""
    account_id, at, keys = make_account(f"account-{next(accounts)}").id, NOON, []
    for step in steps:
        if step[0] == "wait":
            at += step[1] * DAY
            settling.recur_due(at=at)
            settling.expire_due(at)
        else:
            take_step(account_id, step, at=at, keys=keys)
    sums = Counter()
    for entry in CreditEntry.objects.filter(grant__account_id=account_id).order_by("pk"):
        sums[entry.grant_id] += entry.amount_minor
        assert sums[entry.grant_id] >= 0, entry
    balances = dict(CreditGrant.objects.filter(account_id=account_id).values_list("pk", "balance_minor"))
    assert balances == {pk: sums[pk] for pk in balances}
    assert list(invariants.check()) == []
