"""Files of usage, how far each was read, and the lines in them that were no usage."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class UsageImport(models.Model):
    """How far one file has been read. Moves on in the transaction that stores the events, so a restart is exact."""

    source = models.CharField(
        _("source"), max_length=200, unique=True, help_text=_("The events' source; names the file's content.")
    )
    file_name = models.CharField(_("file name"), max_length=400)
    offset = models.PositiveBigIntegerField(_("offset"), default=0, help_text=_("Bytes read."))
    digest = models.CharField(_("digest"), max_length=64, blank=True, help_text=_("SHA-256 of the bytes read."))
    lines = models.PositiveBigIntegerField(_("lines"), default=0)
    accepted = models.PositiveBigIntegerField(_("accepted"), default=0)
    duplicates = models.PositiveBigIntegerField(_("duplicates"), default=0)
    rejected = models.PositiveBigIntegerField(_("rejected"), default=0)
    unmatched = models.PositiveBigIntegerField(
        _("unmatched"), default=0, help_text=_("Of subjects that are no account yet.")
    )
    unused = models.PositiveBigIntegerField(
        _("unused"), default=0, help_text=_("Sound, with nothing to count in them.")
    )
    shift_seconds = models.BigIntegerField(_("shift seconds"), default=0, help_text=_("Added to the file's times."))
    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"), null=True)

    class Meta:
        verbose_name = _("usage import")
        verbose_name_plural = _("usage imports")

    def __str__(self) -> str:
        return self.file_name


class RejectedLine(models.Model):
    """A line of an imported file that is no usage, with the reason."""

    usage_import = models.ForeignKey(
        UsageImport, models.CASCADE, verbose_name=_("usage import"), related_name="rejected_lines", db_index=False
    )
    line_number = models.PositiveBigIntegerField(_("line number"))
    reason = models.CharField(_("reason"), max_length=200)
    text = models.CharField(_("text"), max_length=500)

    class Meta:
        verbose_name = _("rejected line")
        verbose_name_plural = _("rejected lines")
        constraints = [
            models.UniqueConstraint(fields=["usage_import", "line_number"], name="rejected_line_reported_once"),
        ]

    def __str__(self) -> str:
        return f"line {self.line_number}: {self.reason}"
