"""Who charges a price: Stripe by its own meters, or Palier by lines that it puts on Stripe's invoice; and why."""

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import Price
from billing.rating import ChargedBy, PriceTerms
from billing.stripe.expressing import Expressed, Inexpressible, MeterFacts, Mode, Reason, express_price

__all__ = [
    "Expressed",
    "Inexpressible",
    "MeterFacts",
    "Mode",
    "Reason",
    "describe_meter",
    "explain_charging",
    "explain_reason",
    "express_price",
    "find_reason",
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
