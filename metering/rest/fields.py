"""How quantities and times read in JSON: text that keeps every digit, and UTC."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

from metering.quantities import EXACT

QUANTITY_PATTERN = r"^-?[0-9]+(\.[0-9]{1,12})?$"


class QuantityField(serializers.DecimalField):
    """An exact decimal: JSON text out (`"12.5"`, no exponent, no trailing zeros), a number or text in.

    At most 26 digits before the point and 12 after it.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=38, decimal_places=12, **options)

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, bool):  # True counts as 1 for Python, not for us
            self.fail("invalid")
        if isinstance(data, str) and not data.isascii():
            self.fail("invalid")
        return super().to_internal_value(data)

    def to_representation(self, value: Any) -> str:
        return write_quantity(value if isinstance(value, Decimal) else Decimal(value))


def write_quantity(quantity: Decimal) -> str:
    plain = f"{EXACT.create_decimal(quantity):f}"
    return (plain.rstrip("0").rstrip(".") if "." in plain else plain) if quantity else "0"


def write_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class TimeField(serializers.DateTimeField):
    """ISO 8601 with its zone, in UTC: `2026-11-25T09:30:00Z`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(default_timezone=UTC, **options)


class QuantitySchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = QuantityField
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        text = {"type": "string", "format": "decimal", "pattern": QUANTITY_PATTERN}
        if direction == "response":
            return text
        number: dict[str, Any] = {"type": "number"}
        if self.target.min_value is not None:
            number["minimum"] = int(self.target.min_value)
            text["pattern"] = QUANTITY_PATTERN.replace("-?", "")
        return {"oneOf": [text, number]}
