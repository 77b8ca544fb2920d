"""Who charges a price: Stripe by its own meters, or Palier by lines that it puts on Stripe's invoice; and why."""

from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.stripe.expressing import Expressed, Inexpressible, MeterFacts, Reason, express_price

__all__ = ["Expressed", "Inexpressible", "MeterFacts", "Mode", "Reason", "explain_reason", "express_price"]


class Mode(StrEnum):
    METERS = "meters"  # usage goes out as meter events, Stripe charges it
    LINES = "lines"  # no usage goes out, Palier adds a line


REASONS: dict[Reason, Promise] = {
    Reason.FORCED: _("the price says that it is charged by lines"),
    Reason.FEE: _("a fee is asked once its period is over, where Stripe asks it ahead"),
    Reason.MODEL: _("Stripe has no price of this kind"),
    Reason.AGGREGATION: _("Stripe's meters only add up or keep the last value"),
    Reason.CARRIED: _("Stripe's meters begin each period at nothing, and this one carries over"),
    Reason.METER_ROUNDING: _("Stripe's meters do not round what they read"),
    Reason.CURRENCY: _("Stripe counts this currency in other units"),
    Reason.MINIMUM: _("Stripe's prices have no minimum"),
    Reason.CAP: _("Stripe's prices have no cap"),
    Reason.CONVERSION: _("Stripe's prices do not convert units"),
    Reason.INCLUDED_FRACTION: _("included units that are not whole cannot be a tier of Stripe's"),
    Reason.INCLUDED_UNITS: _("included units only become a tier where each tier prices its own units"),
    Reason.TIER_END: _("a tier that does not end at a whole number cannot be one of Stripe's"),
    Reason.TIER_PACKAGE: _("Stripe's tiers do not charge packages"),
    Reason.FEE_ABOVE_ZERO: _("Stripe asks the first tier's fee also where nothing was used"),
    Reason.PACKAGE_SIZE: _("Stripe's packages hold a whole number"),
    Reason.PACKAGE_ROUNDING: _("Stripe's packages are rounded up or down"),
}


def explain_reason(reason: Reason) -> Promise:
    """In words of the reader's language."""
    return REASONS[reason]
