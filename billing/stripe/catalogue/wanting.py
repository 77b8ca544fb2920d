"""What Stripe has to have of the catalogue: what was published, as far as Stripe can express it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from billing.models import Coupon, Plan, PlanVersion, Price, StripeKind, TaxRate
from billing.periods import Interval
from billing.plans import load_versions
from billing.price_rows import describe_price
from billing.rating import PriceModel
from billing.stripe.calls import find_fingerprint
from billing.stripe.catalogue.lookup import name_event
from billing.stripe.decimals import MOST_DIGITS, count_digits, format_decimal
from billing.stripe.expressing import COUNTED_OTHERWISE, Expressed, write_amount
from billing.stripe.modes import describe_meter, express_price, find_reason

RECURS = {
    Interval.DAY: ("day", 1),
    Interval.WEEK: ("week", 1),
    Interval.MONTH: ("month", 1),
    Interval.QUARTER: ("month", 3),
    Interval.HALF_YEAR: ("month", 6),
    Interval.YEAR: ("year", 1),
}
LONGEST_LABEL = {StripeKind.COUPON: 40, StripeKind.TAX_RATE: 50}  # characters that Stripe takes
NAMED_FROM = 250

Name = tuple[str, str]  # kind and key of a row


@dataclass(frozen=True, slots=True)
class Wanted:
    """One object: `label` can be changed in Stripe, `terms` cannot. They are None while what they name is not there.

    `terms` hold JSON values, decimals as text.
    """

    kind: StripeKind
    key: str
    label: str
    terms: dict[str, Any] | None

    @property
    def name(self) -> Name:
        return self.kind.value, self.key

    @property
    def fingerprint(self) -> str:
        return find_fingerprint(self.terms)


def list_wanted(ids: Mapping[Name, str]) -> Iterator[Wanted]:
    """All of it, products and meters first; `ids` are those that Stripe has so far. Eight queries."""
    versions = list(load_versions().filter(published_at__isnull=False).order_by("pk"))
    yield from list_products({version.plan_id: version.plan for version in versions}.values())
    expressed = [(version, list(express_prices(version))) for version in versions]
    yield from list_meters(expressed)
    for version, prices in expressed:
        yield from list_prices(version, prices, ids)
    yield from list_coupons()
    yield from list_tax_rates()


def want(kind: StripeKind, key: int, label: str, terms: dict[str, Any] | None) -> Wanted:
    return Wanted(kind, str(key), label[: LONGEST_LABEL.get(kind, NAMED_FROM)], terms)


def list_products(plans: Iterable[Plan]) -> Iterator[Wanted]:
    for plan in plans:
        yield want(StripeKind.PRODUCT, plan.pk, plan.name, {})


def express_prices(version: PlanVersion) -> Iterator[tuple[Price, Expressed]]:
    """Those of the version's metered prices that Stripe's meters may charge."""
    for price in version.prices.all():
        terms, meter = describe_price(price), describe_meter(price)
        if find_reason(terms, meter, version.currency) is not None:
            continue
        expressed = express_price(terms, meter, version.currency)
        if isinstance(expressed, Expressed) and fits_digits(expressed):
            yield price, expressed


def fits_digits(expressed: Expressed) -> bool:
    """Whether every amount can be told without losing some of it; else Palier's own lines charge the price."""
    parts = [expressed.params, *expressed.params.get("tiers", [])]
    texts = [text for part in parts for name, text in part.items() if name.endswith("_decimal")]
    return all(count_digits(text) <= MOST_DIGITS for text in texts)


def list_meters(expressed: Iterable[tuple[PlanVersion, list[tuple[Price, Expressed]]]]) -> Iterator[Wanted]:
    seen: set[int] = set()
    for _, prices in expressed:
        for price, each in prices:
            meter = price.meter
            if meter is None or meter.pk in seen:
                continue
            seen.add(meter.pk)
            terms = {"event_name": name_event(meter.key), "formula": each.formula}
            yield want(StripeKind.METER, meter.pk, meter.name, terms)


def list_prices(
    version: PlanVersion, expressed: list[tuple[Price, Expressed]], ids: Mapping[Name, str]
) -> Iterator[Wanted]:
    """Metered prices, and flat fees: they carry the subscription, and name the plan. Without one, one of nothing."""
    product = ids.get((StripeKind.PRODUCT.value, str(version.plan_id)))
    interval, count = RECURS[Interval(version.interval)]
    recurring = {"interval": interval, "interval_count": count}
    for price, each in expressed:
        meter = ids.get((StripeKind.METER.value, str(price.meter_id)))
        metered = recurring | {"usage_type": "metered", "meter": meter}
        terms = each.params | {"product": product, "recurring": metered} if product and meter else None
        yield want(StripeKind.PRICE, price.pk, price.description, terms)
    licensed = {
        "product": product,
        "currency": version.currency.lower(),
        "billing_scheme": "per_unit",
        "recurring": recurring | {"usage_type": "licensed"},
    }
    fees = list(list_fees(version))
    for price, amount in fees:
        terms = licensed | {"unit_amount_decimal": amount} if product else None
        yield want(StripeKind.FEE, price.pk, price.description, terms)
    if not fees:
        terms = licensed | {"unit_amount_decimal": "0"} if product else None
        yield want(StripeKind.CARRIER, version.pk, str(version), terms)


def list_fees(version: PlanVersion) -> Iterator[tuple[Price, str]]:
    """Flat fees and what they ask, in the smallest unit; none in a currency of which Stripe has another one."""
    if version.currency in COUNTED_OTHERWISE:
        return
    for price in version.prices.all():
        if price.model == PriceModel.FLAT and price.unit_amount is not None:
            amount = write_amount(price.unit_amount, version.currency)
            if count_digits(amount) <= MOST_DIGITS:
                yield price, amount


def list_coupons() -> Iterator[Wanted]:
    """Without their limits, which Palier keeps."""
    for coupon in Coupon.objects.exclude(currency__in=COUNTED_OTHERWISE).order_by("pk"):
        takes: dict[str, Any] = {"amount_off": coupon.amount_minor, "currency": coupon.currency.lower()}
        if coupon.percent is not None:
            takes = {"percent_off": format_decimal(coupon.percent)}
        lasts = {"duration_in_months": coupon.months} if coupon.months is not None else {}
        yield want(StripeKind.COUPON, coupon.pk, coupon.name, takes | {"duration": coupon.duration} | lasts)


def list_tax_rates() -> Iterator[Wanted]:
    for rate in TaxRate.objects.order_by("pk"):
        terms = {"percentage": format_decimal(rate.percent), "inclusive": rate.is_inclusive, "country": rate.country}
        yield want(StripeKind.TAX_RATE, rate.pk, rate.name, terms)
