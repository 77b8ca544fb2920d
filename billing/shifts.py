"""What changes within a period without cutting it: seats and add-ons, billed by items for what is left of it."""

from datetime import datetime

from django.utils.translation import gettext as _

from billing.fees import FeePart, shift_fees
from billing.holdings import Held
from billing.models import Period, Subscription, SubscriptionChange
from billing.parts import (
    PeriodFinal,
    describe_cut,
    find_part,
    list_fees,
    lock_periods,
    read_period,
    require_nothing_later,
    write_parts,
)
from billing.subscriptions import RUNNING, find_held
from billing.switching import MovePreview


def hold_period(subscription: Subscription, *, at: datetime) -> Period | None:
    """The period under way, whose closing waits for us, or we for it; None where there is none. Raises PeriodFinal."""
    if subscription.state not in RUNNING:
        return None
    period = read_period(subscription, at=at)
    periods = lock_periods(subscription, at=at)
    if any(each.closed_at is not None for each in periods) or period.pk not in {each.pk for each in periods}:
        raise PeriodFinal(_("The period of %(at)s is billed already.") % {"at": at})
    require_nothing_later(subscription, at=at)
    if period.starts_at == at and period.is_prorated:
        raise PeriodFinal(_("The subscription was changed at %(at)s already.") % {"at": at})
    return period


def bill_shift(subscription: Subscription, period: Period, change: SubscriptionChange, *, before: Held) -> None:
    """Bill by items what there is from the change on in place of what was before.

    With the very start of a period its own invoice bills it.
    """
    at = change.at
    after = find_held(subscription, period.version_id, at)
    if period.starts_at == at:
        keep_held(period, after)
        return
    parts = list_shifts(subscription, period, before, after, at=at)
    write_parts(subscription, period, parts, _("%(fee)s: changed on %(date)s"), change, date=at)


def list_shifts(
    subscription: Subscription, period: Period, before: Held, after: Held, *, at: datetime
) -> list[FeePart]:
    if period.is_free:
        return []
    left = find_part(period.version, describe_cut(subscription, period, at=at), at)
    old, new = (list_fees(subscription, period.version, at=period.starts_at, held=held) for held in (before, after))
    return shift_fees(old, new, left=left)


def preview_shift(subscription: Subscription, after: Held, *, at: datetime) -> MovePreview:
    """What it would give back and ask to have this from `at` on. Raises MoveRefused."""
    if subscription.state not in RUNNING:
        return MovePreview(subscription.version.currency, (), ())
    period = read_period(subscription, at=at, opens=False)
    before = find_held(subscription, period.version_id, at)
    parts = list_shifts(subscription, period, before, after, at=at)
    return MovePreview(
        period.version.currency,
        tuple(part for part in parts if part.amount_minor < 0),
        tuple(part for part in parts if part.amount_minor > 0),
    )


def refresh_later(subscription: Subscription, *, at: datetime) -> None:
    """Periods that were opened ahead begin with what there will be then."""
    for period in lock_periods(subscription, at=at):
        held = find_held(subscription, period.version_id, period.starts_at)
        if period.starts_at > at and period.held != held:
            keep_held(period, held)


def keep_held(period: Period, held: Held) -> None:
    period.quantity, period.add_ons = held.seats, dict(held.add_ons)
    period.save(update_fields=["quantity", "add_ons"])
