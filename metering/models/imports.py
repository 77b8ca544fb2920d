"""Files of usage, how far each was read, and the lines in them that were no usage."""

from django.db import models


class UsageImport(models.Model):
    """How far one file has been read. Moves on in the transaction that stores the events, so a restart is exact."""

    source = models.CharField(max_length=200, unique=True, help_text="The events' source; names the file's content.")
    file_name = models.CharField(max_length=400)
    offset = models.PositiveBigIntegerField(default=0, help_text="Bytes read.")
    digest = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the bytes read.")
    lines = models.PositiveBigIntegerField(default=0)
    accepted = models.PositiveBigIntegerField(default=0)
    duplicates = models.PositiveBigIntegerField(default=0)
    rejected = models.PositiveBigIntegerField(default=0)
    unmatched = models.PositiveBigIntegerField(default=0, help_text="Of subjects that are no account yet.")
    unused = models.PositiveBigIntegerField(default=0, help_text="Sound, with nothing to count in them.")
    shift_seconds = models.BigIntegerField(default=0, help_text="Added to the file's times.")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.file_name


class RejectedLine(models.Model):
    """A line of an imported file that is no usage, with the reason."""

    usage_import = models.ForeignKey(UsageImport, models.CASCADE, related_name="rejected_lines", db_index=False)
    line_number = models.PositiveBigIntegerField()
    reason = models.CharField(max_length=200)
    text = models.CharField(max_length=500)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["usage_import", "line_number"], name="rejected_line_reported_once"),
        ]

    def __str__(self) -> str:
        return f"line {self.line_number}: {self.reason}"
