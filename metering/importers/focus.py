"""FOCUS 1.0 to 1.3, cost and usage (FinOps Open Cost and Usage Specification): what was consumed, not what it cost.

- ConsumedQuantity, in ConsumedUnit, is filled for ChargeCategory "Usage" and null for all others (Purchase, Tax,
  Credit, Adjustment) and for the unused part of a commitment. In a correction it may be negative.
- ChargePeriodStart is the inclusive start of the charge; every date is UTC.
- SubAccountId is null for a charge that applies to no sub account. Tags is a JSON object.
- Which columns there are differs from cloud to cloud. Oracle's reports keep names of the preview of 1.0
  (UsageQuantity, UsageUnit, Region).

No column names a row, and two may be equal in all that matters, so an event's id is the number of its line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import lru_cache
from typing import Any, ClassVar

import msgspec

from metering.events import UsageEvent
from metering.importers.cells import Digits, read_time, show_cell
from metering.importers.errors import BadLine, ImportRefused, NotUsage
from metering.importers.formats import ColumnReport, LineParser, MeterTerms, slugify, sum_property
from metering.importers.lines import Line, LineReader
from metering.importers.subjects import clean_subject
from metering.importers.tables import Cells, Header, Table

TAG = "tag:"
SUBJECTS = ("SubAccountId", "BillingAccountId")
QUANTITIES = (  # with their unit; the first one that a file has
    ("ConsumedQuantity", "ConsumedUnit"),
    ("UsageQuantity", "UsageUnit"),
    ("PricingQuantity", "PricingUnit"),
)
REGIONS = ("RegionId", "Region")
NO_USAGE = {"purchase", "tax", "credit", "adjustment"}
KEPT = {  # as properties of an event, for dimensions
    "ServiceName": "service",
    "ServiceCategory": "category",
    "SkuId": "sku",
    "ResourceId": "resource",
    "ResourceType": "resource_type",
    "ChargeClass": "charge_class",
    "ChargePeriodEnd": "period_end",
}
WITHOUT = {  # what is done without a column; without others, nothing
    "ServiceName": "ServiceCategory in the type",
    "ChargeCategory": "every row that has a quantity is usage",
}


class Focus(Table):
    """FOCUS cost and usage. `subject_column` is a column, or `tag:` and the key of a tag."""

    name: ClassVar[str] = "focus"

    def __init__(self, subject_column: str = "") -> None:
        self.subject_column = subject_column

    def start(self, reader: LineReader) -> LineParser | None:
        header = self.read_header(reader)
        if header is None:
            return None
        roles = cast_columns(header, self.subject_column)
        return FocusParser(self, header, roles, report_columns(header, roles))


@dataclass(frozen=True, slots=True)
class Roles:
    """Which column of this file plays which part. `tag` is the key of the tag that is the subject, or empty."""

    subject: str
    tag: str
    quantity: str
    unit: str
    region: str


def cast_columns(header: Header, subject_column: str) -> Roles:
    """Raises ImportRefused when a column is missing for which nothing can stand in."""
    tag = subject_column.removeprefix(TAG) if subject_column.startswith(TAG) else ""
    subject = "Tags" if tag else subject_column or choose(header, SUBJECTS)
    pair = choose(header, [quantity for quantity, _ in QUANTITIES])
    missing = [name for name in (subject, "ChargePeriodStart", pair) if name not in header]
    if missing:
        raise ImportRefused(
            f"The table has no column {', '.join(missing)}, and nothing stands in for it: is it FOCUS cost and usage?"
        )
    return Roles(subject=subject, tag=tag, quantity=pair, unit=dict(QUANTITIES)[pair], region=choose(header, REGIONS))


def choose(header: Header, names: Sequence[str]) -> str:
    """The first of these columns that the table has; where it has none, the one that should be there."""
    return next((name for name in names if name in header), names[0])


def report_columns(header: Header, roles: Roles) -> ColumnReport:
    """`absent` are those that FOCUS would have in these parts."""
    played = {
        SUBJECTS[0]: roles.subject,
        "ChargePeriodStart": "ChargePeriodStart",
        QUANTITIES[0][0]: roles.quantity,
        QUANTITIES[0][1]: roles.unit,
        REGIONS[0]: roles.region,
        **{name: name for name in ("ChargeCategory", "CommitmentDiscountStatus", *KEPT)},
    }
    used = [name for name in dict.fromkeys(played.values()) if name in header]
    absent = {}
    for name, instead in played.items():
        if instead not in header:
            absent[instead] = WITHOUT.get(instead, "the unit is called unit" if instead == roles.unit else "nothing")
        elif name not in header:
            absent[name] = instead
    return ColumnReport(used=used, ignored=header.list_others(used), absent=absent)


@dataclass(frozen=True, slots=True)
class FocusParser(LineParser):
    format: Focus
    header: Header
    roles: Roles
    columns: ColumnReport

    def parse(self, line: Line, *, source: str) -> UsageEvent:
        cells, roles = self.format.read_cells(line, self.header), self.roles
        require_usage(cells)
        quantity = cells[roles.quantity]
        if not quantity:
            is_unused = cells["CommitmentDiscountStatus"].lower() == "unused"
            raise NotUsage("the unused part of a commitment" if is_unused else "usage without a quantity")
        unit = cells[roles.unit] or "unit"
        service = cells["ServiceName"] or cells["ServiceCategory"] or "usage"
        data: dict[str, Any] = {"quantity": Digits().read(quantity), "unit": unit}
        data |= {name: text for column, name in KEPT.items() if (text := cells[column])}
        if region := cells[roles.region]:
            data["region"] = region
        return UsageEvent(
            source=source,
            id=str(line.number),
            type=name_type(service, unit),
            subject=clean_subject(read_subject(cells, roles)),
            time=read_time(cells.require("ChargePeriodStart"), zone=UTC),
            data=data,
        )

    def suggest_meters(self, event: UsageEvent) -> list[MeterTerms]:
        """One that sums what was consumed, in the unit it was consumed in."""
        data = event.data if isinstance(event.data, dict) else {}
        unit, service = str(data.get("unit", "unit")), str(data.get("service", event.type))
        return [sum_property(slugify(event.type), "quantity", unit=unit, title=f"{service}, {unit}")]


@lru_cache(maxsize=10_000)
def name_type(service: str, unit: str) -> str:
    """A type for each service and unit, as `focus.amazon-simple-storage-service.gb-mo`."""
    return f"focus.{slugify(service)[:70]}.{slugify(unit)[:40]}"


def require_usage(cells: Cells) -> None:
    """Raises NotUsage, BadLine."""
    category = cells["ChargeCategory"]
    if category.lower() in NO_USAGE:
        raise NotUsage(f"ChargeCategory {category.capitalize()}")
    if category and category.lower() != "usage":
        raise BadLine(f"has the ChargeCategory {show_cell(category)}, which FOCUS does not know")


def read_subject(cells: Cells, roles: Roles) -> str:
    """Raises BadLine."""
    subject = read_tag(cells["Tags"], roles.tag) if roles.tag else cells[roles.subject]
    if not subject:
        raise BadLine(f"names no {f'tag {roles.tag}' if roles.tag else roles.subject}; see --subject-column")
    return subject


def read_tag(tags: str, key: str) -> str:
    try:
        found = msgspec.json.decode(tags or "{}", type=dict[str, Any]).get(key)
    except (ValueError, RecursionError) as error:
        raise BadLine("has Tags that are no JSON object") from error
    return found.strip() if isinstance(found, str) else ""
