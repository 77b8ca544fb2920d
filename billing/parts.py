"""Where a change cuts a period, and what that makes of its fees and of metering's limits."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from billing import coupons, plans, profiles
from billing.credits.included import cut_included, take_back
from billing.discounts import share_discounts
from billing.fees import Fee, FeePart, credit_fees, spare_fees
from billing.holdings import Held
from billing.items import add_item
from billing.models import ItemKind, Period, PlanVersion, Subscription, SubscriptionChange, SubscriptionMove
from billing.money import Money
from billing.periods import Cycle, find_period, find_zone
from billing.plans import describe_periods
from billing.proration import WHOLE, find_part_left
from billing.rating import ONE, PriceModel, PriceTerms, Usage, rate
from billing.subscriptions import find_cycle, find_held, follow_period, list_meters, make_period, open_periods
from metering import limits

WITHIN_PERIODS = [
    SubscriptionMove.QUANTITY_CHANGED,
    SubscriptionMove.ADD_ON_CHANGED,
]  # moves that are billed by items and cut no period


class MoveRefused(ValueError):
    """The subscription's state, or what is planned for it, does not allow that."""


class PeriodFinal(MoveRefused):
    """The period of that moment is billed already, or the subscription was changed at that very moment."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a period was cut at `at`, and the whole [whole_start, whole_end) that it is a part of."""

    period: Period | None
    at: datetime
    whole_start: datetime
    whole_end: datetime
    zone: str


def cut_period(subscription: Subscription, *, at: datetime) -> Cut:
    """End the period that holds `at` there, and take back those that begin later, with their limits.

    Closing waits for us, or we for it: then the period is final. Raises PeriodFinal, MoveRefused.
    """
    period = read_period(subscription, at=at)
    periods = lock_periods(subscription, at=at)
    if any(each.closed_at is not None for each in periods) or period.pk not in {each.pk for each in periods}:
        raise PeriodFinal(_("The period of %(at)s is billed already.") % {"at": at})
    if period.starts_at == at and period.is_prorated:
        raise PeriodFinal(_("The subscription was changed at %(at)s already.") % {"at": at})
    require_nothing_later(subscription, at=at)
    cut = describe_cut(subscription, period, at=at)
    meters = list_meters({each.version_id for each in periods})
    later = [each.pk for each in periods if each.starts_at >= at]
    Period.objects.filter(pk__in=later).delete()
    Period.objects.filter(pk__in=[each.pk for each in periods if each.starts_at < at]).update(ends_at=at)
    take_back(later, at=at)
    if period.starts_at < at and not period.is_free:
        asked, left = find_asked(period, cut), find_part(period.version, cut, at)
        cut_included(period, asked=asked, left=left, at=at)
    limits.end_windows(account_id=subscription.account_id, meter_ids=meters, at=at)
    return cut


def require_nothing_later(subscription: Subscription, *, at: datetime) -> None:
    """What was changed within a period after `at` is billed as if nothing came before. Raises PeriodFinal."""
    if SubscriptionChange.objects.filter(subscription=subscription, move__in=WITHIN_PERIODS, at__gt=at).exists():
        raise PeriodFinal(_("The subscription was changed after %(at)s already.") % {"at": at})


def lock_periods(subscription: Subscription, *, at: datetime) -> list[Period]:
    """Those that end after `at`."""
    locked = Period.objects.select_for_update(of=("self",)).filter(subscription=subscription, ends_at__gt=at)
    return list(locked.order_by("starts_at"))


def withdraw_later(subscription: Subscription, *, at: datetime) -> None:
    """Take back the periods that begin after `at`, and open those that are to follow now."""
    locked = Period.objects.select_for_update(of=("self",)).filter(subscription=subscription, starts_at__gt=at)
    later = list(locked.order_by("starts_at"))
    if not later:
        return
    meters = list_meters({each.version_id for each in later})
    Period.objects.filter(pk__in=[each.pk for each in later]).delete()
    take_back([each.pk for each in later], at=at)
    limits.end_windows(account_id=subscription.account_id, meter_ids=meters, at=later[0].starts_at)
    reopen(subscription, at=at, until=later[-1].starts_at)


def reopen(subscription: Subscription, *, at: datetime, until: datetime | None = None) -> None:
    """Open the periods that follow the last one, up to the one that holds `until` (`at` when left out)."""
    last = Period.objects.filter(subscription=subscription).order_by("-ends_at").select_related("version").first()
    zone = read_zone(subscription)
    if last is not None:
        open_periods(list(follow_period(subscription, last, until=until or at, zone=zone)), at=at)
    elif subscription.started_at <= at:
        bounds = subscription.started_at, find_period(subscription.started_at, find_cycle(subscription), zone)[1]
        open_periods([make_period(subscription, subscription.version, *bounds)], at=at)


def begin_part(subscription: Subscription, cut: Cut, change: SubscriptionChange, *, end: datetime | None) -> Period:
    """Open the period from the cut to the end of the whole, or to that of the cycle that begins; fees for that part."""
    is_free = cut.period is not None and cut.period.is_free
    cycle = find_cycle(subscription)
    period = make_period(subscription, subscription.version, cut.at, end or find_period(cut.at, cycle, cut.zone)[1])
    left = find_left(subscription.version, cycle, cut, end=end)
    period.is_free, period.is_prorated = is_free, not is_free and left != WHOLE
    open_periods([period], at=cut.at, part=WHOLE if is_free else left)
    if period.is_prorated:
        fees = list_fees(subscription, subscription.version, at=cut.at, held=period.held)
        parts = spare_fees(fees, left=left)
        text = _("%(fee)s: not asked before %(date)s")
        write_parts(subscription, period, parts, text, change, date=cut.at)
    return period


def give_back(subscription: Subscription, cut: Cut, change: SubscriptionChange) -> None:
    """Give back what the cut period asks for the time after the cut; where nothing of it is left, there is no bill."""
    if cut.period is None or cut.period.starts_at >= cut.at:
        return
    text = _("%(fee)s: not used from %(date)s")
    parts = list_credits(subscription, cut.period, cut)
    period = make_period(subscription, cut.period.version, cut.period.starts_at, cut.at)
    write_parts(subscription, period, parts, text, change, date=cut.at)


def list_credits(subscription: Subscription, period: Period, cut: Cut) -> list[FeePart]:
    """Of what there is at the cut, be it more or less than when the period began: items billed the difference."""
    if period.is_free or period.starts_at >= cut.at:
        return []
    held = find_held(subscription, period.version_id, cut.at)
    fees = list_fees(subscription, period.version, at=period.starts_at, held=held)
    return credit_fees(fees, left=find_part(period.version, cut, cut.at), asked=find_asked(period, cut))


def find_asked(period: Period, cut: Cut) -> Fraction:
    """The part of its fees that a period asks before it is cut."""
    return find_part(period.version, cut, period.starts_at) if period.is_prorated else WHOLE


def find_part(version: PlanVersion, cut: Cut, at: datetime) -> Fraction:
    by = describe_periods(version).proration
    return find_part_left(at, start=cut.whole_start, end=cut.whole_end, by=by, time_zone=cut.zone)


def find_left(version: PlanVersion, cycle: Cycle, cut: Cut, *, end: datetime | None) -> Fraction:
    """The part of the new version's fees that is asked: of the same whole, or of the one that its own cycle makes."""
    if end is not None:
        return find_part(version, cut, cut.at)
    start, finish = find_period(cut.at, cycle, cut.zone)
    by = describe_periods(version).proration
    return find_part_left(cut.at, start=start, end=finish, by=by, time_zone=cut.zone)


def describe_cut(subscription: Subscription, period: Period, *, at: datetime) -> Cut:
    zone = read_zone(subscription)
    start = min(find_period(period.starts_at, find_cycle(subscription), zone)[0], period.starts_at)
    return Cut(period, at, start, period.ends_at, zone)


def list_fees(subscription: Subscription, version: PlanVersion, *, at: datetime, held: Held) -> list[Fee]:
    """The fees of a version for what is held, before any part.

    Coupons are taken off as they are off a period that begins at `at`.
    """
    terms = plans.read_version(version.pk)
    fees = [
        (f"price {position}", price.description, round_fee(price, held, terms.currency))
        for position, price in enumerate(terms.prices, start=1)
        if price.model is PriceModel.FLAT
    ]
    fees += [
        (f"add-on {add_on.key}", add_on.description, add_on.rate(count).round(terms.currency).minor)
        for add_on in terms.add_ons
        if (count := held.count_add_on(add_on.key))
    ]
    given = coupons.read_discounts(account_id=subscription.account_id, subscription_id=subscription.pk, at=at)
    shares = share_discounts([amount for *_names, amount in fees], [each.terms for each in given])
    return [
        Fee(key, description, amount - sum(share[place] for share in shares))
        for place, (key, description, amount) in enumerate(fees)
    ]


def round_fee(price: PriceTerms, held: Held, currency: str) -> int:
    return rate(price, Usage(held.seat_quantity if price.per_seat else ONE)).round(currency).minor


def write_parts(
    subscription: Subscription,
    period: Period,
    parts: Iterable[FeePart],
    text: str,
    change: SubscriptionChange,
    *,
    date: datetime,
) -> None:
    """As items of the period's invoice, which its dates name; the change and the fee name each."""
    currency = period.version.currency
    day = date_format(date.astimezone(find_zone(read_zone(subscription))))
    for part in parts:
        if not part.amount_minor:
            continue
        add_item(
            account_id=subscription.account_id,
            subscription_id=subscription.pk,
            currency=currency,
            kind=ItemKind.PRORATION,
            description=text % {"fee": part.fee.description, "date": day},
            unit_amount=Money(part.amount_minor, currency).amount,
            key=f"change {change.pk}, {period.version_id} {part.fee.key}",
            period_start=period.starts_at,
            period_end=period.ends_at,
            at=change.at,
            by=change.made_by_id,
        )


def read_period(subscription: Subscription, *, at: datetime, opens: bool = True) -> Period:
    """The period that holds `at`; where beat is behind it is opened first, if `opens`. Raises MoveRefused."""
    holding = Period.objects.filter(subscription=subscription, starts_at__lte=at, ends_at__gt=at)
    period = holding.select_related("version").first()
    if period is None and opens:
        reopen(subscription, at=at)
        period = holding.select_related("version").first()
    if period is None:
        raise MoveRefused(_("The subscription has no period at %(at)s.") % {"at": at})
    return period


def read_zone(subscription: Subscription) -> str:
    return profiles.read_profile(subscription.account_id).time_zone
