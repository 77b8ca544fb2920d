"""Who charges a price: Stripe by its own meters, or Palier by lines that it puts on Stripe's invoice; and why."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import Period, Price, StripeMode
from billing.price_rows import describe_price
from billing.rating import ChargedBy, PriceTerms
from billing.rows import insert_rows
from billing.stripe.expressing import FORMULAS, Expressed, Inexpressible, MeterFacts, Mode, Reason, express_price
from billing.stripe.subscriptions import Mirror, find_mirror

__all__ = [
    "Expressed",
    "Inexpressible",
    "MeterFacts",
    "Mode",
    "Reason",
    "choose_modes",
    "describe_meter",
    "explain_charging",
    "explain_modes",
    "explain_reason",
    "express_price",
    "find_reason",
    "fix_modes",
]

REASONS: dict[Reason, Promise] = {
    Reason.FORCED: gettext_lazy("the price says that it is charged by lines"),
    Reason.FEE: gettext_lazy("a fee is asked once its period is over, where Stripe asks it ahead"),
    Reason.MODEL: gettext_lazy("Stripe has no price of this kind"),
    Reason.AGGREGATION: gettext_lazy("Stripe's meters only add up or keep the last value"),
    Reason.CARRIED: gettext_lazy("Stripe's meters begin each period at nothing, and this one carries over"),
    Reason.METER_ROUNDING: gettext_lazy("Stripe's meters do not round what they read"),
    Reason.CURRENCY: gettext_lazy("Stripe counts this currency in other units"),
    Reason.MINIMUM: gettext_lazy("Stripe's prices have no minimum"),
    Reason.CAP: gettext_lazy("Stripe's prices have no cap"),
    Reason.CONVERSION: gettext_lazy("Stripe's prices do not convert units"),
    Reason.INCLUDED_FRACTION: gettext_lazy("included units that are not whole cannot be a tier of Stripe's"),
    Reason.INCLUDED_UNITS: gettext_lazy("included units only become a tier where each tier prices its own units"),
    Reason.TIER_END: gettext_lazy("a tier that does not end at a whole number cannot be one of Stripe's"),
    Reason.TIER_PACKAGE: gettext_lazy("Stripe's tiers do not charge packages"),
    Reason.FEE_ABOVE_ZERO: gettext_lazy("Stripe asks the first tier's fee also where nothing was used"),
    Reason.PACKAGE_SIZE: gettext_lazy("Stripe's packages hold a whole number"),
    Reason.PACKAGE_ROUNDING: gettext_lazy("Stripe's packages are rounded up or down"),
    Reason.FREE: gettext_lazy("the period is free"),
    Reason.UNMIRRORED: gettext_lazy("the period is in no subscription in Stripe"),
    Reason.CYCLE: gettext_lazy("the period is not a cycle of its subscription in Stripe"),
    Reason.NO_ITEM: gettext_lazy("the subscription in Stripe has no item for the price"),
    Reason.SHARED: gettext_lazy("another price of the same meter is charged by lines"),
    Reason.CUT: gettext_lazy("the period was cut, and its subscription in Stripe ended with it"),
    Reason.TOO_OLD: gettext_lazy("some of its usage is older than Stripe takes"),
}


def explain_reason(reason: Reason) -> Promise:
    """In words of the reader's language."""
    return REASONS[reason]


def describe_meter(price: Price) -> MeterFacts | None:
    """None for a fee."""
    meter = price.meter
    return None if meter is None else MeterFacts(meter.aggregation, meter.carries_over, meter.rounding)


def find_reason(price: PriceTerms, meter: MeterFacts | None, currency: str) -> Reason | None:
    """Why lines charge the price in any period; None where Stripe's meters may."""
    if meter is not None and price.charged_by is ChargedBy.LINES:
        return Reason.FORCED
    expressed = express_price(price, meter, currency)
    return expressed.reason if isinstance(expressed, Inexpressible) else None


def explain_charging(price: PriceTerms, meter: MeterFacts | None, currency: str) -> str:
    """How the price is charged where an account is charged through Stripe, and why, for staff."""
    reason = find_reason(price, meter, currency)
    if reason is None:
        return _("charged through Stripe by its meters")
    return _("charged through Stripe by lines: %(reason)s") % {"reason": explain_reason(reason)}


@dataclass(frozen=True, slots=True)
class PriceFact:
    """A price as far as its mode depends on it; `reason` is why lines charge it in any period.

    `meter_id` is None for a fee, `formula` empty where its meter is of no kind that Stripe has.
    """

    price_id: int
    meter_id: int | None
    meter_key: str
    formula: str
    reason: Reason | None


def read_prices(version_ids: Collection[int]) -> dict[int, list[PriceFact]]:
    """version id → its prices. Four queries for any number of them."""
    found: dict[int, list[PriceFact]] = {version_id: [] for version_id in version_ids}
    prices = Price.objects.filter(version_id__in=version_ids).select_related("meter", "version")
    for price in prices.prefetch_related("tiers", "rows"):
        meter = describe_meter(price)
        reason = find_reason(describe_price(price), meter, price.version.currency)
        formula = FORMULAS.get(meter.aggregation, "") if meter else ""
        key = price.meter.key if price.meter else ""
        found[price.version_id].append(PriceFact(price.pk, price.meter_id, key, formula, reason))
    return found


def choose_modes(period: Period) -> dict[int, Mode]:
    """price id → who charges it in this period: as it was decided, else as it would be now. Nothing is stored."""
    reasons = explain_modes(period)
    return {price_id: Mode.LINES if reason else Mode.METERS for price_id, reason in reasons.items()}


def explain_modes(period: Period) -> dict[int, Reason | None]:
    """price id → why lines charge it in this period, None where Stripe's meters do. Of every price of its version."""
    stored = {row.price_id: row for row in StripeMode.objects.filter(period=period)}
    prices = read_prices([period.version_id])[period.version_id]
    return decide(period, prices, stored, find_mirror(period))


def decide(
    period: Period, prices: Collection[PriceFact], stored: Mapping[int, StripeMode], mirror: Mirror | None
) -> dict[int, Reason | None]:
    """What was decided stands, but that a cut turns meters into lines. A meter goes out for all its prices or none."""
    reasons = {price.price_id: find_reason_of_period(period, price, mirror) for price in prices}
    by_lines = {price.meter_id for price in prices if reasons[price.price_id]}
    for price in prices:
        known = stored.get(price.price_id)
        if known is not None and known.mode == Mode.LINES:
            reasons[price.price_id] = Reason(known.reason)
        elif known is not None:
            is_whole = known.ends_at == period.ends_at and mirror is not None and mirror.is_cycle
            reasons[price.price_id] = None if is_whole else Reason.CUT
        elif reasons[price.price_id] is None and price.meter_id in by_lines:
            reasons[price.price_id] = Reason.SHARED
    return reasons


def find_reason_of_period(period: Period, price: PriceFact, mirror: Mirror | None) -> Reason | None:
    obstacles = {
        Reason.FREE: period.is_free,
        Reason.UNMIRRORED: mirror is None,
        Reason.CYCLE: mirror is not None and not mirror.is_cycle,
        Reason.NO_ITEM: mirror is not None and price.price_id not in mirror.items,
    }
    return price.reason or next((reason for reason, stands in obstacles.items() if stands), None)


Decision = tuple[Period, Mapping[int, Reason | None]]  # a period, and why lines charge each of its prices


@transaction.atomic
def fix_modes(decisions: Collection[Decision], *, at: datetime) -> dict[int, dict[int, Reason | None]]:
    """Keep how the prices of periods are charged, unless somebody was first; of what was kept a cut makes lines.

    Returns what is kept by period: what was given, but where others decided before. Two statements, one more for each
    period that was cut.
    """
    rows = [
        {
            "period_id": period.pk,
            "price_id": price_id,
            "mode": Mode.LINES if reason else Mode.METERS,
            "reason": reason or "",
            "ends_at": period.ends_at,
            "decided_at": at,
        }
        for period, reasons in decisions
        for price_id, reason in reasons.items()
        if reason is not Reason.FEE
    ]
    insert_rows(StripeMode, rows, unless_there=True)
    for period, reasons in decisions:
        if cut := [price_id for price_id, reason in reasons.items() if reason is Reason.CUT]:
            StripeMode.objects.filter(period=period, price_id__in=cut, mode=Mode.METERS).update(
                mode=Mode.LINES, reason=Reason.CUT, ends_at=period.ends_at, decided_at=at
            )
    kept = {period.pk: dict(reasons) for period, reasons in decisions}
    for row in StripeMode.objects.filter(period__in=kept):
        kept[row.period_id][row.price_id] = Reason(row.reason) if row.reason else None
    return kept
