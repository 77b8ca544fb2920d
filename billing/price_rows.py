"""A price as rows of the database, and as terms: each is made of the other."""

from collections.abc import Iterable
from typing import Any

from billing.models import PlanVersion, Price, PriceRow, Tier
from billing.rating import (
    ChargedBy,
    Conversion,
    DimensionPrice,
    PercentageTerms,
    PriceModel,
    PriceTerms,
    Rounding,
    TierTerms,
)
from metering import meters


def describe_price(price: Price) -> PriceTerms:
    """Raises InvalidPrice, which a draft may well be."""
    return describe_terms(
        price,
        tiers=tuple(describe_tier(tier) for tier in price.tiers.all()),
        table=tuple(DimensionPrice(tuple(row.values), row.unit_amount) for row in price.rows.all()),
    )


def describe_terms(price: Price, *, tiers: tuple[TierTerms, ...], table: tuple[DimensionPrice, ...]) -> PriceTerms:
    """The same with these tiers and rows in place of those that are stored."""
    return PriceTerms(
        description=price.description,
        model=PriceModel(price.model),
        meter_key=price.meter.key if price.meter else None,
        unit_amount=price.unit_amount,
        included_units=price.included_units,
        tiers=tiers,
        conversion=describe_conversion(price),
        package_size=price.package_size,
        package_rounding=Rounding(price.package_rounding),
        percentage=describe_percentage(price),
        dimensions=tuple(price.dimensions),
        table=table,
        first_tier_flat_at_zero=price.first_tier_flat_at_zero,
        minimum=price.minimum,
        cap=price.cap,
        per_seat=price.per_seat,
        charged_by=ChargedBy(price.charged_by),
    )


def describe_tier(tier: Tier) -> TierTerms:
    return TierTerms(tier.up_to, tier.unit_amount, tier.flat_amount, tier.rate_percent, tier.package_size)


def describe_conversion(price: Price) -> Conversion | None:
    if price.multiply_by is None or price.divide_by is None:
        return None
    return Conversion(
        multiply_by=price.multiply_by,
        divide_by=price.divide_by,
        rounding=Rounding(price.conversion_rounding),
        places=price.conversion_places,
        unit=price.conversion_unit,
    )


def describe_percentage(price: Price) -> PercentageTerms | None:
    if price.rate_percent is None:
        return None
    return PercentageTerms(
        rate_percent=price.rate_percent,
        fee=price.transaction_fee,
        free_amount=price.free_amount,
        free_transactions=price.free_transactions,
        minimum=price.transaction_minimum,
        maximum=price.transaction_maximum,
    )


def store_prices(version: PlanVersion, prices: Iterable[PriceTerms]) -> None:
    for position, terms in enumerate(prices, start=1):
        price = Price.objects.create(
            version=version,
            position=position,
            description=terms.description,
            model=terms.model.value,
            meter_id=find_meter_id(terms.meter_key, f"prices[{position - 1}].meter") if terms.meter_key else None,
            unit_amount=terms.unit_amount,
            included_units=terms.included_units,
            package_size=terms.package_size,
            package_rounding=terms.package_rounding.value,
            dimensions=list(terms.dimensions),
            first_tier_flat_at_zero=terms.first_tier_flat_at_zero,
            minimum=terms.minimum,
            cap=terms.cap,
            per_seat=terms.per_seat,
            charged_by=terms.charged_by.value,
            **list_conversion_fields(terms.conversion),
            **list_percentage_fields(terms.percentage),
        )
        Tier.objects.bulk_create(
            Tier(
                price=price,
                position=number,
                up_to=tier.up_to,
                unit_amount=tier.unit_amount,
                flat_amount=tier.flat_amount,
                rate_percent=tier.rate_percent,
                package_size=tier.package_size,
            )
            for number, tier in enumerate(terms.tiers, start=1)
        )
        PriceRow.objects.bulk_create(
            PriceRow(price=price, position=number, values=list(row.values), unit_amount=row.unit_amount)
            for number, row in enumerate(terms.table, start=1)
        )


def find_meter_id(key: str, field: str) -> int:
    """Raises metering's UnknownMeter, with the field that named it."""
    try:
        return meters.find_meter(key).id
    except meters.UnknownMeter as error:
        error.field = field
        raise


def list_conversion_fields(conversion: Conversion | None) -> dict[str, Any]:
    if conversion is None:
        return {}
    return {
        "multiply_by": conversion.multiply_by,
        "divide_by": conversion.divide_by,
        "conversion_rounding": conversion.rounding.value,
        "conversion_places": conversion.places,
        "conversion_unit": conversion.unit,
    }


def list_percentage_fields(terms: PercentageTerms | None) -> dict[str, Any]:
    if terms is None:
        return {}
    return {
        "rate_percent": terms.rate_percent,
        "transaction_fee": terms.fee,
        "free_amount": terms.free_amount,
        "free_transactions": terms.free_transactions,
        "transaction_minimum": terms.minimum,
        "transaction_maximum": terms.maximum,
    }
