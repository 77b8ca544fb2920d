"""One reconciliation: every look, cheapest first; then a drift for each finding, and the end of those that are gone."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from billing.models import DriftState, StripeCursor, StripeDrift
from billing.stripe.budget import has_reads_left
from billing.stripe.client import is_on
from billing.stripe.drifts import close_drift, open_drift
from billing.stripe.reconciling.calls import look_at_calls
from billing.stripe.reconciling.charges import look_at_charges
from billing.stripe.reconciling.findings import Looked, Scope
from billing.stripe.reconciling.summaries import look_at_summaries
from billing.stripe.reconciling.theirs import look_at_customers, look_at_invoices, look_at_subscriptions
from billing.stripe.reconciling.usage import look_at_usage

logger = logging.getLogger(__name__)

CURSOR = "reconciled"  # of StripeCursor: when everything was looked at last
Look = Callable[[Scope], Looked]

OURS: tuple[Look, ...] = (look_at_usage, look_at_charges, look_at_calls)  # our own rows alone
THEIRS: tuple[Look, ...] = (
    look_at_invoices,
    look_at_subscriptions,
    look_at_customers,
    look_at_summaries,
)  # reads of Stripe's, as far as the budget goes


@dataclass(frozen=True, slots=True)
class Report:
    """What one reconciliation did: how many things it looked at, drifts that are open, and those that are gone."""

    checked: int
    found: int
    gone: int
    open: tuple[StripeDrift, ...]


def reconcile(
    at: datetime, *, since: datetime | None = None, account_id: int | None = None, may_read: bool = True
) -> Report:
    """Look everywhere since then (default: `settings.STRIPE_RECONCILE_DAYS`), of one account or of all.

    Outside of a transaction. A drift opens for each finding and is brought up to date by the next; what was looked at
    and agrees closes its drift as repaired. Nothing else is changed, here or there. Raises TryLater, Refused.
    """
    scope = Scope(at, since or at - timedelta(days=settings.STRIPE_RECONCILE_DAYS), account_id)
    looks = [*OURS, *(THEIRS if may_read and is_on() else ())]
    checked = found = gone = 0
    for look in looks:
        if look in THEIRS and not has_reads_left(at):
            logger.warning("stripe is not read any more: the reads of 30 days are used up")
            break
        looked = look(scope)
        gone += settle(looked, at=at)
        checked += len(looked.checked)
        found += len(looked.findings)
    if account_id is None:
        StripeCursor.objects.update_or_create(name=CURSOR, defaults={"reached_at": at})
    drifts = StripeDrift.objects.filter(state=DriftState.OPEN).select_related("account").order_by("kind", "pk")
    if account_id is not None:
        drifts = drifts.filter(account_id=account_id)
    report = Report(checked, found, gone, tuple(drifts))
    logger.log(logging.WARNING if report.open else logging.INFO, "stripe reconciled: %s", describe(report))
    return report


def settle(looked: Looked, *, at: datetime) -> int:
    """Open what was found, close what is gone; how many are gone."""
    for finding in looked.findings:
        open_drift(
            finding.kind,
            finding.key,
            account_id=finding.account_id,
            ours=finding.ours,
            theirs=finding.theirs,
            cause=finding.cause,
            difference_minor=finding.difference_minor,
            currency=finding.currency,
            at=at,
        )
    agreed = looked.checked - {(finding.kind, finding.key) for finding in looked.findings}
    return sum(close_drift(kind, key, at=at, note="They agree again.") for kind, key in list_open(agreed))


def list_open(about: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Which of these have an open drift: one query for any number, as nearly none has."""
    wanted = set(about)
    drifts = StripeDrift.objects.filter(state=DriftState.OPEN, kind__in={kind for kind, _key in wanted})
    return sorted(wanted.intersection(drifts.values_list("kind", "key")))


def describe(report: Report) -> str:
    return f"{report.checked} checked, {report.found} found, {report.gone} gone, {len(report.open)} open"
