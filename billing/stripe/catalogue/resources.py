"""The calls that make, change and put away one kind of object, and what is seen of one, typed by Stripe's client."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from billing.models import StripeKind
from billing.stripe.decimals import PlainDecimal
from billing.stripe.gateway import PAGE, Paging

if TYPE_CHECKING:
    from stripe import Coupon, ListObject, Price, Product, RequestOptions, StripeClient, StripeObject, TaxRate
    from stripe.billing import Meter
    from stripe.params import (
        CouponCreateParams,
        CouponListParams,
        CouponUpdateParams,
        PriceCreateParams,
        PriceCreateParamsRecurring,
        PriceCreateParamsTier,
        PriceListParams,
        PriceUpdateParams,
        ProductCreateParams,
        ProductListParams,
        ProductUpdateParams,
        TaxRateCreateParams,
        TaxRateListParams,
        TaxRateUpdateParams,
    )
    from stripe.params.billing import MeterCreateParams, MeterListParams, MeterUpdateParams

    Send = Callable[[StripeClient, RequestOptions], StripeObject]

MARK, REVISION = "palier_key", "palier_revision"  # metadata of what we made


@dataclass(frozen=True, slots=True)
class Told:
    """What is to be told of one object, as its job was promised: later changes are another revision."""

    kind: StripeKind
    key: str
    revision: int
    label: str
    terms: dict[str, Any]
    is_inactive: bool  # was put away in Stripe

    @property
    def mark(self) -> dict[str, str]:
        return {MARK: f"{self.kind}:{self.key}", REVISION: str(self.revision)}


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the operation's name, its parameters as they are kept, and how it is sent."""

    operation: str
    params: Mapping[str, object]
    send: "Send"


@dataclass(frozen=True, slots=True)
class Seen:
    """What Stripe has; a lookup key of prices alone."""

    stripe_id: str
    label: str
    is_active: bool
    lookup_key: str = ""


class Resource(Protocol):
    kinds: tuple[StripeKind, ...]
    frees_name: bool  # whether another one can only be made once the former is put away

    def create(self, told: Told) -> Call: ...
    def change(self, stripe_id: str, told: Told) -> Iterator[Call]: ...
    def put_away(self, stripe_id: str) -> Call: ...
    def list_page(self, client: "StripeClient", paging: Paging) -> "ListObject[Any]": ...
    def retrieve(self, client: "StripeClient", stripe_id: str) -> Any: ...
    def see(self, found: Any) -> Seen: ...
    def is_made_by(self, found: Any, told: Told) -> bool: ...


class Products:
    kinds: tuple[StripeKind, ...] = (StripeKind.PRODUCT,)
    frees_name = False

    def create(self, told: Told) -> Call:
        params: ProductCreateParams = {"name": told.label, "metadata": told.mark}
        return Call("create_product", params, lambda client, options: client.v1.products.create(params, options))

    def change(self, stripe_id: str, told: Told) -> Iterator[Call]:
        params: ProductUpdateParams = {"name": told.label, "active": True}
        yield Call(
            "update_product", params, lambda client, options: client.v1.products.update(stripe_id, params, options)
        )

    def put_away(self, stripe_id: str) -> Call:
        params: ProductUpdateParams = {"active": False}
        return Call(
            "archive_product", params, lambda client, options: client.v1.products.update(stripe_id, params, options)
        )

    def list_page(self, client: "StripeClient", paging: Paging) -> "ListObject[Product]":
        params: ProductListParams = {"limit": PAGE}
        if "starting_after" in paging:
            params["starting_after"] = paging["starting_after"]
        return client.v1.products.list(params)

    def retrieve(self, client: "StripeClient", stripe_id: str) -> "Product":
        return client.v1.products.retrieve(stripe_id)

    def see(self, found: "Product") -> Seen:
        return Seen(found.id, found.name, found.active)

    def is_made_by(self, found: "Product", told: Told) -> bool:
        return read_mark(found) == told.mark


class Meters:
    """Meters have no metadata: their event's name, which one active meter has, says whose they are."""

    kinds: tuple[StripeKind, ...] = (StripeKind.METER,)
    frees_name = True

    def create(self, told: Told) -> Call:
        params: MeterCreateParams = {
            "display_name": told.label,
            "event_name": str(told.terms["event_name"]),
            "default_aggregation": {"formula": str(told.terms["formula"])},
        }
        return Call("create_meter", params, lambda client, options: client.v1.billing.meters.create(params, options))

    def change(self, stripe_id: str, told: Told) -> Iterator[Call]:
        if told.is_inactive:
            yield Call(
                "reactivate_meter",
                {},
                lambda client, options: client.v1.billing.meters.reactivate(stripe_id, None, options),
            )
        params: MeterUpdateParams = {"display_name": told.label}
        yield Call(
            "update_meter", params, lambda client, options: client.v1.billing.meters.update(stripe_id, params, options)
        )

    def put_away(self, stripe_id: str) -> Call:
        return Call(
            "deactivate_meter",
            {},
            lambda client, options: client.v1.billing.meters.deactivate(stripe_id, None, options),
        )

    def list_page(self, client: "StripeClient", paging: Paging) -> "ListObject[Meter]":
        params: MeterListParams = {"limit": PAGE}
        if "starting_after" in paging:
            params["starting_after"] = paging["starting_after"]
        return client.v1.billing.meters.list(params)

    def retrieve(self, client: "StripeClient", stripe_id: str) -> "Meter":
        return client.v1.billing.meters.retrieve(stripe_id)

    def see(self, found: "Meter") -> Seen:
        return Seen(found.id, found.display_name, found.status == "active")

    def is_made_by(self, found: "Meter", told: Told) -> bool:
        said = {"event_name": found.event_name, "formula": found.default_aggregation.formula}
        return found.status == "active" and said == told.terms


class Prices:
    """Metered prices, flat fees and carriers. The lookup key goes to the youngest, as amounts never change."""

    kinds: tuple[StripeKind, ...] = (StripeKind.PRICE, StripeKind.FEE, StripeKind.CARRIER)
    frees_name = False

    def create(self, told: Told) -> Call:
        params = write_price(told)
        return Call("create_price", params, lambda client, options: client.v1.prices.create(params, options))

    def change(self, stripe_id: str, told: Told) -> Iterator[Call]:
        params: PriceUpdateParams = {
            "nickname": told.label,
            "active": True,
            "lookup_key": name_price(told.kind, told.key),
            "transfer_lookup_key": True,
        }
        yield Call("update_price", params, lambda client, options: client.v1.prices.update(stripe_id, params, options))

    def put_away(self, stripe_id: str) -> Call:
        params: PriceUpdateParams = {"active": False}
        return Call(
            "archive_price", params, lambda client, options: client.v1.prices.update(stripe_id, params, options)
        )

    def list_page(self, client: "StripeClient", paging: Paging) -> "ListObject[Price]":
        params: PriceListParams = {"limit": PAGE}
        if "starting_after" in paging:
            params["starting_after"] = paging["starting_after"]
        return client.v1.prices.list(params)

    def retrieve(self, client: "StripeClient", stripe_id: str) -> "Price":
        return client.v1.prices.retrieve(stripe_id)

    def see(self, found: "Price") -> Seen:
        return Seen(found.id, found.nickname or "", found.active, found.lookup_key or "")

    def is_made_by(self, found: "Price", told: Told) -> bool:
        return read_mark(found) == told.mark


class Coupons:
    kinds: tuple[StripeKind, ...] = (StripeKind.COUPON,)
    frees_name = False

    def create(self, told: Told) -> Call:
        terms = told.terms
        params: CouponCreateParams = {
            "name": told.label,
            "duration": str(terms["duration"]),
            "metadata": told.mark,
        }
        if "duration_in_months" in terms:
            params["duration_in_months"] = int(terms["duration_in_months"])
        kept: dict[str, object] = {**params}
        if "percent_off" in terms:
            params["percent_off"] = write_percent(terms["percent_off"])
            kept["percent_off"] = terms["percent_off"]
        else:
            params["amount_off"], params["currency"] = int(terms["amount_off"]), str(terms["currency"])
            kept |= {"amount_off": params["amount_off"], "currency": params["currency"]}
        return Call("create_coupon", kept, lambda client, options: client.v1.coupons.create(params, options))

    def change(self, stripe_id: str, told: Told) -> Iterator[Call]:
        params: CouponUpdateParams = {"name": told.label}
        yield Call(
            "update_coupon", params, lambda client, options: client.v1.coupons.update(stripe_id, params, options)
        )

    def put_away(self, stripe_id: str) -> Call:
        return Call("delete_coupon", {}, lambda client, options: client.v1.coupons.delete(stripe_id, None, options))

    def list_page(self, client: "StripeClient", paging: Paging) -> "ListObject[Coupon]":
        params: CouponListParams = {"limit": PAGE}
        if "starting_after" in paging:
            params["starting_after"] = paging["starting_after"]
        return client.v1.coupons.list(params)

    def retrieve(self, client: "StripeClient", stripe_id: str) -> "Coupon":
        return client.v1.coupons.retrieve(stripe_id)

    def see(self, found: "Coupon") -> Seen:
        return Seen(found.id, found.name or "", True)

    def is_made_by(self, found: "Coupon", told: Told) -> bool:
        return read_mark(found) == told.mark


class TaxRates:
    kinds: tuple[StripeKind, ...] = (StripeKind.TAX_RATE,)
    frees_name = False

    def create(self, told: Told) -> Call:
        terms = told.terms
        params: TaxRateCreateParams = {
            "display_name": told.label,
            "inclusive": bool(terms["inclusive"]),
            "percentage": write_percent(terms["percentage"]),
            "metadata": told.mark,
        }
        if terms["country"]:
            params["country"] = str(terms["country"])
        kept = {**params, "percentage": terms["percentage"]}
        return Call("create_tax_rate", kept, lambda client, options: client.v1.tax_rates.create(params, options))

    def change(self, stripe_id: str, told: Told) -> Iterator[Call]:
        params: TaxRateUpdateParams = {"display_name": told.label, "active": True}
        yield Call(
            "update_tax_rate", params, lambda client, options: client.v1.tax_rates.update(stripe_id, params, options)
        )

    def put_away(self, stripe_id: str) -> Call:
        params: TaxRateUpdateParams = {"active": False}
        return Call(
            "archive_tax_rate", params, lambda client, options: client.v1.tax_rates.update(stripe_id, params, options)
        )

    def list_page(self, client: "StripeClient", paging: Paging) -> "ListObject[TaxRate]":
        params: TaxRateListParams = {"limit": PAGE}
        if "starting_after" in paging:
            params["starting_after"] = paging["starting_after"]
        return client.v1.tax_rates.list(params)

    def retrieve(self, client: "StripeClient", stripe_id: str) -> "TaxRate":
        return client.v1.tax_rates.retrieve(stripe_id)

    def see(self, found: "TaxRate") -> Seen:
        return Seen(found.id, found.display_name, found.active)

    def is_made_by(self, found: "TaxRate", told: Told) -> bool:
        return read_mark(found) == told.mark


RESOURCES: tuple[Resource, ...] = (Products(), Meters(), Prices(), Coupons(), TaxRates())
RESOURCE_OF: dict[str, Resource] = {kind.value: each for each in RESOURCES for kind in each.kinds}


def read_mark(found: "Product | Price | Coupon | TaxRate") -> dict[str, str]:
    metadata = found.metadata
    return {} if metadata is None else {name: str(value) for name, value in metadata.to_dict().items()}


def name_price(kind: StripeKind, key: str) -> str:
    """Its lookup key."""
    return f"palier_{kind.value}_{key}"


def write_percent(text: str) -> float:
    """A percentage as the client types it. It has few enough digits that its text comes out as it went in."""
    return float(text)


def write_price(told: Told) -> "PriceCreateParams":
    terms = told.terms
    recurs = terms["recurring"]
    recurring: PriceCreateParamsRecurring = {
        "interval": str(recurs["interval"]),
        "interval_count": int(recurs["interval_count"]),
        "usage_type": str(recurs["usage_type"]),
    }
    if "meter" in recurs:
        recurring["meter"] = str(recurs["meter"])
    params: PriceCreateParams = {
        "product": str(terms["product"]),
        "currency": str(terms["currency"]),
        "billing_scheme": str(terms["billing_scheme"]),
        "recurring": recurring,
        "nickname": told.label,
        "lookup_key": name_price(told.kind, told.key),
        "transfer_lookup_key": True,
        "metadata": told.mark,
    }
    if "unit_amount_decimal" in terms:
        params["unit_amount_decimal"] = PlainDecimal(terms["unit_amount_decimal"])
    if "tiers" in terms:
        params["tiers_mode"] = str(terms["tiers_mode"])
        params["tiers"] = [write_tier(tier) for tier in terms["tiers"]]
    if "transform_quantity" in terms:
        packs = terms["transform_quantity"]
        params["transform_quantity"] = {"divide_by": int(packs["divide_by"]), "round": str(packs["round"])}
    return params


def write_tier(terms: Mapping[str, Any]) -> "PriceCreateParamsTier":
    tier: PriceCreateParamsTier = {
        "up_to": "inf" if terms["up_to"] == "inf" else int(terms["up_to"]),
        "unit_amount_decimal": PlainDecimal(terms["unit_amount_decimal"]),
    }
    if "flat_amount_decimal" in terms:
        tier["flat_amount_decimal"] = PlainDecimal(terms["flat_amount_decimal"])
    return tier
