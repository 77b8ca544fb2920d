"""Coupons: what is taken off the invoices of whoever applied one, and for how long.

A discount counts for an invoice when it is in effect at the start of the invoice's period. So it begins with the period
in which its coupon was applied, and one that lasts for one period ends with that one: drafting twice, previews and
what-if see the same discounts. Where a change has prorated that period's fees already it begins with the next: what the
change took off is of fees without the discount, and would be more than they still ask.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext

from billing import discounts
from billing.constraints import find_constraint
from billing.models import (
    Coupon,
    CouponDuration,
    Discount,
    InvoiceItem,
    ItemKind,
    Period,
    Subscription,
    SubscriptionState,
)
from billing.money import find_exponent
from billing.periods import Cycle, Interval, find_boundary, find_period, find_zone
from billing.plans import describe_periods
from billing.profiles import read_or_set_profile

Key = TypeVar("Key", bound=Hashable)


class InvalidCoupon(ValueError):
    """Terms that no coupon can have; `field` says which one is at fault."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class UnknownCoupon(LookupError):
    """No coupon has this code."""


class CouponRefused(ValueError):
    """The coupon is over, used up, in another currency, or there is nothing that it could be taken off."""


@dataclass(frozen=True, slots=True)
class CouponFact:
    """A coupon as it stands; `terms` is what it takes off, an amount in smallest units of `currency`."""

    id: int
    code: str
    name: str
    terms: discounts.Discount
    currency: str
    duration: CouponDuration
    months: int | None
    max_redemptions: int | None
    redemption_count: int
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class DiscountFact:
    """A coupon of an account, or of one of its subscriptions alone, in effect in [starts_at, ends_at)."""

    id: int
    coupon_code: str
    name: str
    terms: discounts.Discount
    account_id: int
    subscription_id: int | None
    starts_at: datetime
    ends_at: datetime | None

    def is_in_effect(self, moment: datetime) -> bool:
        return self.starts_at <= moment and (self.ends_at is None or moment < self.ends_at)


def create_coupon(
    *,
    code: str,
    name: str,
    percent: Decimal | None = None,
    amount_minor: int | None = None,
    currency: str = "",
    duration: CouponDuration = CouponDuration.ONCE,
    months: int | None = None,
    max_redemptions: int | None = None,
    valid_until: datetime | None = None,
) -> CouponFact:
    """A new coupon: so many percent off each line, or an amount off each invoice.

    Raises InvalidCoupon with the field, UnknownCurrency.
    """
    check_coupon(percent=percent, amount_minor=amount_minor, currency=currency, duration=duration, months=months)
    try:
        with transaction.atomic():
            coupon = Coupon.objects.create(
                code=code,
                name=name,
                percent=percent,
                amount_minor=amount_minor,
                currency=currency,
                duration=duration,
                months=months,
                max_redemptions=max_redemptions,
                valid_until=valid_until,
            )
    except IntegrityError as error:
        if find_constraint(error) != "billing_coupon_code_key":
            raise
        raise InvalidCoupon(f"There is a coupon {code!r} already.", "code") from error
    return describe_coupon(coupon)


def check_coupon(
    *, percent: Decimal | None, amount_minor: int | None, currency: str, duration: CouponDuration, months: int | None
) -> None:
    """Raises InvalidCoupon with the field, UnknownCurrency."""
    if (percent is None) == (amount_minor is None):
        raise InvalidCoupon("A coupon has either a percentage or an amount.", "percent")
    if percent is not None and not (percent.is_finite() and 0 < percent <= 100):
        raise InvalidCoupon(f"A coupon takes more than 0 and up to 100 percent off, not {percent}.", "percent")
    if percent is not None and currency:
        raise InvalidCoupon("A percentage is of any currency.", "currency")
    if amount_minor is not None:
        if amount_minor <= 0:
            raise InvalidCoupon("A coupon takes an amount above zero off.", "amount_minor")
        find_exponent(currency)
    if (duration == CouponDuration.REPEATING) != (months is not None):
        raise InvalidCoupon("A coupon has a number of months exactly when it lasts so many months.", "months")
    if months is not None and months < 1:
        raise InvalidCoupon("A coupon lasts a month at least.", "months")


@transaction.atomic
def apply_coupon(
    *, code: str, account_id: int, subscription_id: int | None = None, at: datetime, by: int | None = None
) -> DiscountFact:
    """Give the account, or one of its subscriptions alone, what the coupon takes off, from the period under way.

    A coupon for one period goes to one subscription: the account's only one, unless told. An account has a coupon
    once: a second call returns the discount that is there, also when it is over.
    Raises UnknownCoupon, CouponRefused, metering's UnknownAccount.
    """
    coupon = Coupon.objects.select_for_update().filter(code=code).first()
    if coupon is None:
        raise UnknownCoupon(f"There is no coupon {code!r}.")
    applied = Discount.objects.select_related("coupon").filter(coupon=coupon, account_id=account_id)
    # Looked for first: the subscription may have ended since, and the answer stays the same.
    if subscription_id is None and coupon.duration == CouponDuration.ONCE:
        earlier = applied.first()
        if earlier is not None:
            return describe_discount(earlier)
        subscription_id = find_only_subscription(account_id)
    earlier = applied.filter(subscription=subscription_id).first()
    if earlier is not None:
        return describe_discount(earlier)
    time_zone = read_or_set_profile(account_id).time_zone
    subscriptions = list_subscriptions(account_id, subscription_id)
    check_applicable(coupon, subscriptions, at=at)
    starts_at, ends_at = find_time(coupon, subscriptions, at=at, time_zone=time_zone)
    return describe_discount(
        Discount.objects.create(
            coupon=coupon,
            account_id=account_id,
            subscription_id=subscription_id,
            starts_at=starts_at,
            ends_at=ends_at,
            applied_at=at,
            applied_by_id=by,
        )
    )


@transaction.atomic
def end_discount(discount_id: int, *, at: datetime) -> DiscountFact:
    """Take nothing off periods that begin from `at` on. A second call, and one after its end, changes nothing.

    Raises Discount.DoesNotExist.
    """
    discount = Discount.objects.select_for_update(of=("self",)).select_related("coupon").get(pk=discount_id)
    end = max(at, discount.starts_at)
    if discount.ends_at is None or end < discount.ends_at:
        discount.ends_at = end
        discount.save(update_fields=["ends_at"])
    return describe_discount(discount)


def read_discounts(*, account_id: int, subscription_id: int | None = None, at: datetime) -> tuple[DiscountFact, ...]:
    """What is taken off an invoice whose period begins `at`: the account's own discounts and the subscription's.

    In the order in which they were applied, in which `discounts.share_discounts` takes them off.
    """
    mine = Q(subscription_id__isnull=True) | Q(subscription_id=subscription_id)
    return tuple(describe_discount(each) for each in in_effect(at).filter(mine, account_id=account_id))


def read_discounts_of(asked: Mapping[Key, tuple[int, int, datetime]]) -> dict[Key, tuple[DiscountFact, ...]]:
    """key → what read_discounts says of its (account id, subscription id, moment), for many at once in one query."""
    by_account: dict[int, list[DiscountFact]] = {}
    if asked:
        moments = [moment for _, _, moment in asked.values()]
        account_ids = {account_id for account_id, _, _ in asked.values()}
        for each in in_effect(min(moments), max(moments)).filter(account_id__in=account_ids):
            by_account.setdefault(each.account_id, []).append(describe_discount(each))
    return {
        key: tuple(
            each
            for each in by_account.get(account_id, ())
            if each.subscription_id in (None, subscription_id) and each.is_in_effect(moment)
        )
        for key, (account_id, subscription_id, moment) in asked.items()
    }


def in_effect(start: datetime, until: datetime | None = None) -> QuerySet[Discount]:
    """At some moment from `start` to `until`, both included; at `start` when nothing else is said."""
    lasting = Q(ends_at__isnull=True) | Q(ends_at__gt=start)
    begun = Discount.objects.filter(lasting, is_of_currency(), starts_at__lte=until or start)
    return begun.select_related("coupon").order_by("pk")


def is_of_currency() -> Q:
    """An amount is taken off invoices in its own currency alone.

    An account keeps the currency of its first subscription, which may have come after the coupon.
    """
    first = Subscription.objects.filter(account=OuterRef("account")).order_by("pk").values("version__currency")[:1]
    return Q(coupon__currency="") | Q(coupon__currency=Subquery(first))


def find_only_subscription(account_id: int) -> int:
    active = Subscription.objects.filter(account_id=account_id, state=SubscriptionState.ACTIVE)
    ids = list(active.values_list("pk", flat=True)[:2])
    if len(ids) != 1:
        if not ids:
            raise CouponRefused(
                gettext("A coupon for one period is of one subscription, and the account has no active subscription.")
            )
        raise CouponRefused(
            gettext(
                "A coupon for one period is of one subscription, and the account has several active subscriptions; "
                "say which one."
            )
        )
    return ids[0]


def list_subscriptions(account_id: int, subscription_id: int | None) -> list[Subscription]:
    """Those that the discount is taken off as things are. Raises CouponRefused when the one asked for is not there."""
    subscriptions = Subscription.objects.filter(account_id=account_id).select_related("version").order_by("pk")
    if subscription_id is None:
        return list(subscriptions.exclude(state=SubscriptionState.ENDED))
    found = list(subscriptions.filter(pk=subscription_id))
    if not found:
        raise CouponRefused(f"Account {account_id} has no subscription {subscription_id}.")
    return found


def check_applicable(coupon: Coupon, subscriptions: list[Subscription], *, at: datetime) -> None:
    if coupon.valid_until is not None and coupon.valid_until <= at:
        words = {"code": coupon.code, "moment": coupon.valid_until}
        raise CouponRefused(gettext("The coupon %(code)s was valid until %(moment)s.") % words)
    if coupon.max_redemptions is not None and coupon.redemption_count >= coupon.max_redemptions:
        words = {"code": coupon.code, "count": coupon.redemption_count}
        raise CouponRefused(gettext("The coupon %(code)s was applied %(count)s times, which is all.") % words)
    for each in subscriptions:
        if coupon.currency and each.version.currency != coupon.currency:
            words = {"code": coupon.code, "own": coupon.currency, "other": each.version.currency}
            raise CouponRefused(gettext("The coupon %(code)s is in %(own)s, the subscription in %(other)s.") % words)


def find_time(
    coupon: Coupon, subscriptions: list[Subscription], *, at: datetime, time_zone: str
) -> tuple[datetime, datetime | None]:
    """From the start of the period under way, the earliest one of several; months are those of the account's zone.

    Where fees of one of these were prorated already it is from `at`, so that none that has begun counts.
    """
    begun = Period.objects.filter(subscription__in=subscriptions, starts_at__lte=at, ends_at__gt=at)
    period = begun.order_by("starts_at").select_related("subscription__version").first()
    is_late = begun.filter(Exists(list_prorated())).exists()
    starts_at = at if is_late or period is None else period.starts_at
    if coupon.duration == CouponDuration.ONCE:
        if period is None:
            raise CouponRefused(gettext("The subscription has no period that the coupon could be taken off."))
        return starts_at, find_next_end(period, time_zone) if is_late else period.ends_at
    if coupon.months is None:
        return starts_at, None
    return starts_at, find_boundary(coupon.months, Cycle(Interval.MONTH, starts_at), find_zone(time_zone))


def list_prorated() -> QuerySet[InvoiceItem]:
    """What changes made of the fees of a period (that of the query around it), and still stands."""
    own = {"subscription": OuterRef("subscription"), "period_start": OuterRef("starts_at")}
    return InvoiceItem.objects.filter(kind=ItemKind.PRORATION, withdrawn_at=None, **own)


def find_next_end(period: Period, time_zone: str) -> datetime:
    """The end of the period after this one. Raises CouponRefused where none follows."""
    subscription = period.subscription
    if subscription.cancels_at is not None:
        raise CouponRefused(gettext("The fees of the subscription's last period are prorated already."))
    version = subscription.next_version or subscription.version
    cycle = describe_periods(version).cycle(period.ends_at if subscription.next_version else subscription.anchor)
    return find_period(period.ends_at, cycle, time_zone)[1]


def describe_coupon(coupon: Coupon) -> CouponFact:
    return CouponFact(
        id=coupon.pk,
        code=coupon.code,
        name=coupon.name,
        terms=discounts.Discount(percent=coupon.percent, amount_minor=coupon.amount_minor),
        currency=coupon.currency,
        duration=CouponDuration(coupon.duration),
        months=coupon.months,
        max_redemptions=coupon.max_redemptions,
        redemption_count=coupon.redemption_count,
        valid_until=coupon.valid_until,
    )


def describe_discount(discount: Discount) -> DiscountFact:
    coupon = discount.coupon
    return DiscountFact(
        id=discount.pk,
        coupon_code=coupon.code,
        name=coupon.name,
        terms=discounts.Discount(percent=coupon.percent, amount_minor=coupon.amount_minor),
        account_id=discount.account_id,
        subscription_id=discount.subscription_id,
        starts_at=discount.starts_at,
        ends_at=discount.ends_at,
    )
