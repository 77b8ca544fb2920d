"""Imported files: how far each was read, and the lines that were no usage."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from metering.admin.reading import ReadOnly
from metering.models import RejectedLine, UsageImport

if TYPE_CHECKING:
    ImportModelAdmin = admin.ModelAdmin[UsageImport]
    LineModelAdmin = admin.ModelAdmin[RejectedLine]
else:
    ImportModelAdmin = admin.ModelAdmin
    LineModelAdmin = admin.ModelAdmin


@admin.register(UsageImport)
class UsageImportAdmin(ReadOnly, ImportModelAdmin):
    list_display = ["file_name", "lines", "accepted", "duplicates", "rejected_link", "started_at", "finished_at"]
    list_filter = [("finished_at", admin.EmptyFieldListFilter)]
    list_per_page = 50
    date_hierarchy = "started_at"
    ordering = ["-started_at"]
    search_fields = ["file_name", "source"]
    search_help_text = _("Search in file names and sources")
    fields = [
        "file_name", "source", "offset", "lines", "accepted", "duplicates", "rejected_link", "unmatched",
        "unused", "shift_seconds", "started_at", "finished_at",
    ]  # fmt: skip

    @admin.display(description=_("rejected"), ordering="rejected")
    def rejected_link(self, usage_import: UsageImport) -> SafeString | str:
        if not usage_import.rejected:
            return "0"
        url = reverse("admin:metering_rejectedline_changelist")
        label = gettext("%(count)s lines") % {"count": usage_import.rejected}
        return format_html('<a href="{}?usage_import__id__exact={}">{}</a>', url, usage_import.pk, label)


@admin.register(RejectedLine)
class RejectedLineAdmin(ReadOnly, LineModelAdmin):
    list_display = ["line_number", "reason", "text", "usage_import"]
    list_filter = [("usage_import", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["usage_import"]
    list_per_page = 100
    show_full_result_count = False
    ordering = ["usage_import", "line_number"]
    search_fields = ["reason", "text"]
    search_help_text = _("Search in reasons and lines")
