"""Usage from files. A door: `import_usage` reads a file of any format here, exactly once whatever interrupts it."""

from metering.importers.access_log import AccessLog
from metering.importers.errors import DamagedFile, ImportMovedOn, ImportRefused
from metering.importers.focus import Focus
from metering.importers.formats import ColumnReport, Format
from metering.importers.importing import import_usage
from metering.importers.mapped_csv import MappedCsv, Mapping, read_mapping
from metering.importers.meters import create_missing_meters
from metering.importers.ndjson import Ndjson
from metering.importers.reports import ImportProgress, ImportReport, RejectedText
from metering.importers.snowflake import SnowflakeQueries, SnowflakeWarehouses

__all__ = [
    "AccessLog",
    "ColumnReport",
    "DamagedFile",
    "Focus",
    "Format",
    "ImportMovedOn",
    "ImportProgress",
    "ImportRefused",
    "ImportReport",
    "MappedCsv",
    "Mapping",
    "Ndjson",
    "RejectedText",
    "SnowflakeQueries",
    "SnowflakeWarehouses",
    "create_missing_meters",
    "import_usage",
    "read_mapping",
]
