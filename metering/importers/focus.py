"""FOCUS 1.0 to 1.3, cost and usage (FinOps Open Cost and Usage Specification): what was consumed, not what it cost.

Of `specification/columns` at github.com/FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec:

- ConsumedQuantity, in ConsumedUnit, is filled for ChargeCategory "Usage" and null for all others (Purchase, Tax,
  Credit, Adjustment) and for the unused part of a commitment. In a correction it may be negative.
- ChargePeriodStart is the inclusive start of the charge, in UTC like every date (`attributes/datetime_format.md`).
- SubAccountId is null for a charge that applies to no sub account. Tags is a JSON object.
- Columns of a provider's own begin with `x_`. Which of the others are there differs from cloud to cloud.

No column names a row, and two may be equal in all that matters. So the id is a digest of the charge together with the
number of its row: the same file gives the same ids, and where a restated one holds another charge in that row it is
another event, not a conflict.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC
from typing import Any, ClassVar

import msgspec

from metering.events import MAX_LENGTHS, UsageEvent
from metering.importers.cells import Digits, read_time
from metering.importers.errors import BadLine, ImportRefused, NotUsage
from metering.importers.formats import ColumnReport, LineParser, MeterTerms, slugify, sum_property
from metering.importers.lines import Line, LineReader
from metering.importers.subjects import clean_subject
from metering.importers.tables import Cells, Header, Table

TAG = "tag:"
SUBJECT = "SubAccountId"
IDENTITY = (
    "BillingAccountId", "SubAccountId", "ResourceId", "SkuId", "SkuPriceId", "RegionId", "ChargeCategory",
    "ChargeClass", "ChargePeriodStart", "ChargePeriodEnd",
)  # fmt: skip
KEPT = {  # as properties of an event, for dimensions
    "ServiceName": "service",
    "ServiceCategory": "category",
    "SkuId": "sku",
    "RegionId": "region",
    "ResourceId": "resource",
    "ResourceType": "resource_type",
    "ChargeClass": "charge_class",
    "ChargePeriodEnd": "period_end",
}
STAND_INS = {
    "ConsumedQuantity": "PricingQuantity with PricingUnit",
    "ServiceName": "ServiceCategory in the type",
    "ServiceCategory": "nothing",
    "ConsumedUnit": "the unit is called unit",
    "ChargeCategory": "every row that has a quantity is usage",
    "SubAccountId": "BillingAccountId",
    "ResourceId": "nothing",
    "ResourceType": "nothing",
    "RegionId": "nothing",
    "SkuId": "nothing",
    "SkuPriceId": "nothing",
    "ChargeClass": "nothing",
    "ChargePeriodEnd": "nothing",
    "BillingAccountId": "nothing",
}


class Focus(Table):
    """FOCUS cost and usage. `subject_column` is a column, or `tag:` and the key of a tag."""

    name: ClassVar[str] = "focus"

    def __init__(self, subject_column: str = SUBJECT) -> None:
        self.subject_column = subject_column

    def start(self, reader: LineReader) -> LineParser | None:
        header = self.read_header(reader)
        return None if header is None else FocusParser(self, header, *plan_columns(header, self.subject_column))

    def suggest_meters(self, event: UsageEvent) -> list[MeterTerms]:
        """One that sums what was consumed, in the unit it was consumed in."""
        data = event.data if isinstance(event.data, dict) else {}
        unit, service = str(data.get("unit", "unit")), str(data.get("service", event.type))
        return [sum_property(slugify(event.type), "quantity", unit=unit, title=f"{service}, {unit}")]


@dataclass(frozen=True, slots=True)
class Roles:
    """Which column of this file plays which part."""

    subject: str
    quantity: str
    unit: str


def plan_columns(header: Header, subject_column: str) -> tuple[Roles, ColumnReport]:
    """Raises ImportRefused when a column is missing for which nothing can stand in."""

    def has(name: str) -> bool:
        return header.find(name) is not None

    is_tag = subject_column.startswith(TAG)
    subject = "Tags" if is_tag else subject_column
    if not is_tag and subject == SUBJECT and not has(subject):
        subject = "BillingAccountId"
    is_consumed = has("ConsumedQuantity")
    quantity, unit = ("ConsumedQuantity", "ConsumedUnit") if is_consumed else ("PricingQuantity", "PricingUnit")
    missing = [name for name in (subject, "ChargePeriodStart", quantity) if not has(name)]
    if missing:
        raise ImportRefused(
            f"The table has no column {', '.join(missing)}, and nothing stands in for it: is it FOCUS cost and usage?"
        )
    parts = [subject, "ChargePeriodStart", quantity, unit, *IDENTITY, *KEPT]
    used = [name for name in dict.fromkeys(parts) if has(name)]
    absent = {name: STAND_INS[name] for name in STAND_INS if not has(name) and (name != SUBJECT or not is_tag)}
    if not is_consumed:
        absent.pop("ConsumedUnit", None)
        if not has(unit):
            absent[unit] = STAND_INS["ConsumedUnit"]
    report = ColumnReport(used=used, ignored=header.list_others(used), absent=absent)
    return Roles(subject=subject_column if is_tag else subject, quantity=quantity, unit=unit), report


@dataclass(frozen=True, slots=True)
class FocusParser:
    format: Focus
    header: Header
    roles: Roles
    columns: ColumnReport

    def parse(self, line: Line, *, source: str) -> UsageEvent:
        cells = self.format.read_cells(line, self.header)
        category = cells["ChargeCategory"]
        if category and category.lower() != "usage":
            raise NotUsage(f"ChargeCategory {category[:40]}")
        quantity = cells[self.roles.quantity]
        if not quantity:
            is_unused = cells["CommitmentDiscountStatus"].lower() == "unused"
            raise NotUsage("the unused part of a commitment" if is_unused else "usage without a quantity")
        unit = cells[self.roles.unit] or "unit"
        service = cells["ServiceName"] or cells["ServiceCategory"] or "usage"
        data: dict[str, Any] = {"quantity": Digits().read(quantity), "unit": unit}
        data |= {name: text for column, name in KEPT.items() if (text := cells[column])}
        return UsageEvent(
            source=source,
            id=name_charge(cells, quantity, unit, number=line.number),
            type=name_type(service, unit),
            subject=clean_subject(read_subject(cells, self.roles.subject)),
            time=read_time(cells["ChargePeriodStart"], zone=UTC),
            data=data,
        )


def name_type(service: str, unit: str) -> str:
    """`focus.` with the service and the unit it is measured in: `focus.amazon-simple-storage-service.gb-month`."""
    return f"focus.{slugify(service)[:70]}.{slugify(unit)[:40]}"[: MAX_LENGTHS["type"]]


def name_charge(cells: Cells, quantity: str, unit: str, *, number: int) -> str:
    identity = msgspec.json.encode([number, quantity, unit, *(cells[column] for column in IDENTITY)])
    return f"{number}:{hashlib.sha256(identity).hexdigest()[:32]}"


def read_subject(cells: Cells, column: str) -> str:
    """Raises BadLine."""
    subject = read_tag(cells["Tags"], column.removeprefix(TAG)) if column.startswith(TAG) else cells[column]
    if not subject:
        raise BadLine(f"names no {column}; --subject-column takes another one")
    return subject


def read_tag(tags: str, key: str) -> str:
    try:
        found = msgspec.json.decode(tags or "{}", type=dict[str, Any]).get(key)
    except (ValueError, RecursionError) as error:
        raise BadLine("has Tags that are no JSON object") from error
    return found.strip() if isinstance(found, str) else ""
