"""Which meters of a period go out, decided with its first usage, and the tallies of what went."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from django.db import transaction

from billing.models import Period, StripeMode, StripeTally
from billing.rows import insert_rows
from billing.stripe.catalogue.lookup import name_event
from billing.stripe.modes import PriceFact, Reason, decide, fix_modes
from billing.stripe.subscriptions import Mirror, find_mirrors
from billing.stripe.usage.slices import find_last_slice, is_too_old

Tallies = dict[tuple[int, int], StripeTally]  # by period and meter


def read_tallies(periods: Sequence[Period]) -> Tallies:
    return {(row.period_id, row.meter_id): row for row in StripeTally.objects.filter(period__in=periods)}


@transaction.atomic
def begin_tallies(
    periods: Sequence[Period],
    meter_ids: Mapping[int, Collection[int]],
    prices: Mapping[int, Sequence[PriceFact]],
    *,
    at: datetime,
) -> Tallies:
    """Decide how these periods' prices are charged; tallies of their meters (by period) that Stripe's charge.

    A period whose subscription is not in Stripe yet is left out: nothing is decided of it. Five statements for any
    number of them.
    """
    mirrors = find_mirrors(periods)
    ready = {period: mirror for period in periods if (mirror := mirrors[period.pk]) is not None and mirror.stripe_id}
    reasons = decide_now(ready, prices, at=at)
    kept = fix_modes(list(reasons.items()), at=at)
    rows = [
        {
            "period_id": period.pk,
            "meter_id": fact.meter_id,
            "account_id": period.subscription.account_id,
            "formula": fact.formula,
            "event_name": name_event(fact.meter_key),
            "customer_id": mirror.customer_id,
            "collected_until": period.starts_at,
        }
        for period, mirror in ready.items()
        for fact in prices[period.version_id]
        if fact.meter_id is not None
        and fact.meter_id in meter_ids[period.pk]
        and kept[period.pk][fact.price_id] is None
    ]
    insert_rows(StripeTally, rows, unless_there=True)
    return read_tallies(list(ready))


def decide_now(
    mirrors: Mapping[Period, Mirror | None], prices: Mapping[int, Sequence[PriceFact]], *, at: datetime
) -> dict[Period, dict[int, Reason | None]]:
    """period → why lines charge each of its prices, None where they do not.

    What would go out for the first time longer after its period than Stripe looks back is one of the reasons.
    """
    stored: dict[int, dict[int, StripeMode]] = {}
    for row in StripeMode.objects.filter(period__in=list(mirrors)):
        stored.setdefault(row.period_id, {})[row.price_id] = row
    found = {}
    for period, mirror in mirrors.items():
        known = stored.get(period.pk, {})
        reasons = decide(period, prices[period.version_id], known, mirror)
        if not known and is_too_old(find_last_slice(period.starts_at, period.ends_at), at=at):
            reasons = {price_id: reason or Reason.TOO_OLD for price_id, reason in reasons.items()}
        found[period] = reasons
    return found
