"""The CRM in the back-office: today's calls, and who is here to make them."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Count, ForeignKey, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.assignment import assign_queue
from crm.lead_admin import LeadAdmin
from crm.models import Lead, RepProfile

if TYPE_CHECKING:
    RepModelAdmin = admin.ModelAdmin[RepProfile]
else:
    RepModelAdmin = admin.ModelAdmin

admin.site.register(Lead, LeadAdmin)


@admin.register(RepProfile)
class RepProfileAdmin(RepModelAdmin):
    """Who comes in is given what waits in the queue. A rep who leaves is away for good: their leads keep their name."""

    list_display = ["user", "is_present", "open_leads", "last_given_at"]
    list_editable = ["is_present"]
    list_filter = ["is_present"]
    list_select_related = ["user"]
    search_fields = ["user__email", "user__name"]
    search_help_text = _("Search in names and e-mail addresses")
    fields = ["user", "is_present", "last_given_at"]
    ordering = ["pk"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[RepProfile]:
        is_open = Q(leads__closed_at__isnull=True, leads__isnull=False)
        return super().get_queryset(request).annotate(open_lead_count=Count("leads", filter=is_open))

    @admin.display(description=_("open leads"), ordering="open_lead_count")
    def open_leads(self, rep: Any) -> int:
        count: int = rep.open_lead_count
        return count

    def get_readonly_fields(self, request: HttpRequest, obj: RepProfile | None = None) -> list[str]:
        return ["last_given_at"] if obj is None else ["user", "last_given_at"]

    def formfield_for_foreignkey(self, db_field: ForeignKey[Any, Any], request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "user" and field is not None and field.queryset is not None:
            field.queryset = field.queryset.filter(is_staff=True, is_active=True, rep_profile=None)
        return field

    def save_model(self, request: HttpRequest, obj: RepProfile, form: Any, change: bool) -> None:
        """Writes presence alone, so that a lead given out meanwhile is not forgotten."""
        obj.save(update_fields=["is_present"] if change else None)
        if obj.is_present:
            assign_queue(at=timezone.now())

    def has_delete_permission(self, request: HttpRequest, obj: RepProfile | None = None) -> bool:
        return False
