"""Usage from files. A door: `import_access_log` reads a web server's log, exactly once whatever interrupts it."""

from metering.importers.errors import DamagedFile, ImportMovedOn, ImportRefused
from metering.importers.importing import create_missing_meters, import_access_log
from metering.importers.reports import ImportProgress, ImportReport, RejectedText

__all__ = [
    "DamagedFile",
    "ImportMovedOn",
    "ImportProgress",
    "ImportRefused",
    "ImportReport",
    "RejectedText",
    "create_missing_meters",
    "import_access_log",
]
