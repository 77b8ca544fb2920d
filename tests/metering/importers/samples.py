"""A small file of each format, shaped like the real ones, and what is read back after an import."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db.models import Sum

from metering.importers import (
    Focus,
    Format,
    ImportReport,
    MappedCsv,
    Ndjson,
    SnowflakeQueries,
    SnowflakeWarehouses,
    import_usage,
    read_mapping,
)
from metering.models import HourlyRollup, RejectedLine

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Sample:
    """A file of a format, and how many of its lines are accepted, rejected and unused with all accounts made."""

    file: str
    make: Callable[[], Format]
    fates: tuple[int, int, int]

    @property
    def path(self) -> Path:
        return DATA / self.file


def make_calls() -> MappedCsv:
    return MappedCsv(read_mapping(DATA / "calls.json"))


SAMPLES = [
    Sample("calls.csv", make_calls, (2, 2, 0)),
    Sample("events.ndjson", Ndjson, (2, 1, 0)),
    Sample("focus_aws.csv", Focus, (4, 0, 3)),
    Sample("focus_azure.csv", Focus, (1, 1, 1)),
    Sample("focus_oracle.csv", Focus, (2, 0, 0)),
    Sample("focus_few_columns.csv", Focus, (1, 0, 0)),
    Sample("query_history.csv", SnowflakeQueries, (2, 0, 1)),
    Sample("warehouse_metering_history.csv", SnowflakeWarehouses, (3, 0, 0)),
]


def import_file(path: Path, format: Format, **options: Any) -> ImportReport:
    wanted = {"create_accounts": True, "create_meters": True, "complete": True}
    return import_usage(path, format=format, at=NOW, **{**wanted, **options})


def read_sums() -> dict[str, Decimal]:
    return dict(HourlyRollup.objects.values_list("meter__key").annotate(total=Sum("total")))


def read_rejected() -> list[tuple[int, str]]:
    return list(RejectedLine.objects.order_by("line_number").values_list("line_number", "reason"))
