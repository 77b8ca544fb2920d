"""Where things of the catalogue are in Stripe."""

from dataclasses import dataclass

from billing.models import Price, StripeKind, StripeObject

EVENT_PREFIX = "palier_"


class NotInStripe(LookupError):
    """It is not in Stripe, not yet or because of a problem that the message tells."""


@dataclass(frozen=True, slots=True)
class VersionPrices:
    """Prices of a version in Stripe, by the ids of Palier's: metered ones, and fees. Without a fee there is a carrier.

    A price that Stripe cannot express is in none of them.
    """

    metered: dict[int, str]
    fees: dict[int, str]
    carrier: str


def name_event(meter_key: str) -> str:
    """`event_name` of a meter in Stripe."""
    return f"{EVENT_PREFIX}{meter_key}"


def find_product_id(plan_id: int) -> str:
    """Raises NotInStripe, as all of these."""
    return find_id(StripeKind.PRODUCT, plan_id)


def find_meter_id(meter_id: int) -> str:
    return find_id(StripeKind.METER, meter_id)


def find_price_id(price_id: int) -> str:
    """Of a metered price."""
    return find_id(StripeKind.PRICE, price_id)


def find_tax_rate_id(tax_rate_id: int) -> str:
    return find_id(StripeKind.TAX_RATE, tax_rate_id)


def find_coupon_id(coupon_id: int) -> str:
    return find_id(StripeKind.COUPON, coupon_id)


def find_id(kind: StripeKind, key: int) -> str:
    row = StripeObject.objects.filter(kind=kind, key=str(key)).first()
    if row is None:
        raise NotInStripe(f"{kind.label} {key} was not told to Stripe yet")
    return require_id(row)


def require_id(row: StripeObject) -> str:
    if not row.stripe_id:
        raise NotInStripe(f"{row} is not in Stripe: {row.problem or 'its job is still to come'}")
    return row.stripe_id


def find_version_prices(version_id: int) -> VersionPrices:
    """All prices of a version that Stripe has, once all of them are there. Three queries. Raises NotInStripe."""
    keys = [str(key) for key in Price.objects.filter(version_id=version_id).values_list("pk", flat=True)]
    of_prices = StripeObject.objects.filter(kind__in=[StripeKind.PRICE, StripeKind.FEE], key__in=keys)
    carriers = StripeObject.objects.filter(kind=StripeKind.CARRIER, key=str(version_id))
    found: dict[str, dict[int, str]] = {StripeKind.PRICE: {}, StripeKind.FEE: {}}
    for row in of_prices:
        found[row.kind][int(row.key)] = require_id(row)
    carrier = next((require_id(row) for row in carriers), "")
    if not carrier and not found[StripeKind.FEE]:
        raise NotInStripe(f"version {version_id} was not told to Stripe yet")
    return VersionPrices(found[StripeKind.PRICE], found[StripeKind.FEE], carrier)
