"""Why an import stops. Whatever was read before it stopped is kept, and is not read again."""


class ImportRefused(Exception):
    """The file is not the one whose beginning was imported, or cannot be continued; the message says why."""


class DamagedFile(ImportRefused):
    """The file cannot be read to its end."""


class ImportMovedOn(ImportRefused):
    """Another import of the same file went on in the meantime."""


class BadLine(ValueError):
    """The line is no usage; the message says why, as a sentence whose subject is the line."""


class NotUsage(Exception):
    """The line is sound and holds nothing to count; the message is the kind by which such lines are summed up."""
