"""What the invoices of periods depend on, read for many at once: in so many statements, however many periods there are.

On top come one or two where a period begins or ends within an hour, for prices by dimension or by transaction those of
`read_details`, for each window that periods have in common, and one for a period of a cycle that is another since.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from billing import plans, profiles
from billing.coupons import read_discounts_of
from billing.details import Details, read_details
from billing.discounts import Discount
from billing.items import ItemFact, list_waiting_of
from billing.models import Period
from billing.plans import PlanTerms
from billing.profiles import ProfileFact
from billing.proration import WHOLE
from billing.shares import read_share
from billing.tax_rates import read_taxes
from billing.taxes import TaxTerms
from metering import usage
from metering.usage import Reading


@dataclass(frozen=True, slots=True)
class PeriodFacts:
    """Everything that the invoice of a period is made of. `waiting` are the items that it takes up.

    `part` is that which the period is of a whole one, as far as its terms depend on it. Without a profile nobody is
    known to pay.
    """

    period: Period
    terms: PlanTerms
    profile: ProfileFact | None
    taxes: tuple[TaxTerms, ...]
    discounts: tuple[Discount, ...]
    waiting: tuple[ItemFact, ...]
    readings: Sequence[Reading]
    details: Details
    part: Fraction


def lock_periods(period_ids: Collection[int], *, skip_locked: bool = False) -> list[Period]:
    """Their rows in the order of their ids, and then what they say: of one that we waited for, what it became.

    The earliest comes first. Those that do not exist are left out, and with `skip_locked` those that others hold.
    """
    locked = Period.objects.filter(pk__in=period_ids).order_by("pk").select_for_update(skip_locked=skip_locked)
    return load_periods([pk for (pk,) in locked.values_list("pk")])


def load_periods(period_ids: Collection[int]) -> list[Period]:
    """The earliest comes first."""
    return list(Period.objects.filter(pk__in=period_ids).select_related("subscription").order_by("ends_at", "pk"))


def read_facts(periods: Sequence[Period], *, is_locked: bool = False) -> list[PeriodFacts]:
    """In the order given: of two periods of a subscription the first takes up what waits, which is locked if so asked.

    Raises HistoryPruned, and what read_details raises.
    """
    if not periods:
        return []
    account_ids = {period.subscription.account_id for period in periods}
    terms = plans.read_versions({period.version_id for period in periods})
    payers = profiles.read_profiles(account_ids)
    taxes = read_taxes(account_ids)
    given_off = read_discounts_of(
        {each.pk: (each.subscription.account_id, each.subscription_id, each.starts_at) for each in periods}
    )
    waiting = share_items(periods, terms, is_locked=is_locked)
    readings = read_usage(periods, terms)
    details = read_details_of(periods, terms)
    return [
        PeriodFacts(
            period=period,
            terms=terms[period.version_id],
            profile=payers.get(period.subscription.account_id),
            taxes=taxes[period.subscription.account_id],
            discounts=tuple(each.terms for each in given_off[period.pk]),
            waiting=waiting[period.pk],
            readings=readings[period.pk],
            details=details[period.pk],
            part=read_part(period, terms[period.version_id], payers.get(period.subscription.account_id)),
        )
        for period in periods
    ]


def read_part(period: Period, terms: PlanTerms, profile: ProfileFact | None) -> Fraction:
    return read_share(period, terms, zone=profile.time_zone) if profile else WHOLE


def share_items(
    periods: Sequence[Period], terms: dict[int, PlanTerms], *, is_locked: bool
) -> dict[int, tuple[ItemFact, ...]]:
    """period id → the items that its invoice bills: those of its subscription, but for what is for a later time."""
    left = list_waiting_of({period.subscription_id for period in periods}, is_locked=is_locked)
    shared = {}
    for period in periods:
        of_subscription = left.get(period.subscription_id, [])
        mine = [item for item in of_subscription if takes_up(period, terms[period.version_id], item)]
        shared[period.pk] = tuple(mine)
        left[period.subscription_id] = [item for item in of_subscription if item not in mine]
    return shared


def takes_up(period: Period, terms: PlanTerms, item: ItemFact) -> bool:
    """Whether the period's invoice bills the item: a later one does where it is for a time that begins later."""
    is_begun = item.period_start is None or item.period_start < period.ends_at
    return is_begun and (item.account_id, item.currency) == (period.subscription.account_id, terms.currency)


def read_usage(periods: Iterable[Period], terms: dict[int, PlanTerms]) -> dict[int, list[Reading]]:
    asked = {each.pk: (each.subscription.account_id, (each.starts_at, each.ends_at)) for each in periods}
    meter_keys = {price.meter_key for each in terms.values() for price in each.prices if price.meter_key}
    return {
        pk: readings
        for pk, [readings] in usage.read_totals_between(asked, meter_keys=meter_keys, with_digests=True).items()
    }


def read_details_of(periods: Sequence[Period], terms: dict[int, PlanTerms]) -> dict[int, Details]:
    windows: dict[tuple[datetime, datetime], list[Period]] = {}
    for period in periods:
        windows.setdefault((period.starts_at, period.ends_at), []).append(period)
    found = {}
    for (start, end), group in windows.items():
        prices = [price for version_id in {each.version_id for each in group} for price in terms[version_id].prices]
        of_accounts = read_details(prices, {each.subscription.account_id for each in group}, start=start, end=end)
        found.update({each.pk: of_accounts[each.subscription.account_id] for each in group})
    return found
