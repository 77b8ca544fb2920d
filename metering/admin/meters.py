"""Meters. What one is, is frozen once it has counted; what it counts changes by a version, from a full hour on."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from metering.admin.meter_forms import IDENTITY, PREVIEW, TERMS, NewMeterForm, NewVersionForm
from metering.admin.reading import ReadOnly
from metering.backfill import find_progress, state_backfill
from metering.meters import InvalidMeter, change_meter, find_version, is_backfilling, save_meter
from metering.models import HourlyRollup, Meter, MeterVersion

if TYPE_CHECKING:
    MeterModelAdmin = admin.ModelAdmin[Meter]
    VersionTabularInline = admin.TabularInline[MeterVersion, Meter]
else:
    MeterModelAdmin = admin.ModelAdmin
    VersionTabularInline = admin.TabularInline


class VersionInline(ReadOnly, VersionTabularInline):
    model = MeterVersion
    fields = ["number", "starts_at", *TERMS, "created_at"]
    readonly_fields = ["created_at"]
    ordering = ["-number"]
    extra = 0
    verbose_name_plural = _("what it counts")


@admin.register(Meter)
class MeterAdmin(MeterModelAdmin):
    list_display = ["name", "key", "aggregation", "unit", "is_used", "past"]
    list_filter = ["aggregation"]
    list_select_related = ["backfill"]
    ordering = ["key"]
    search_fields = ["key", "name", "versions__event_type"]
    search_help_text = _("Search in keys, names and event types")
    inlines = [VersionInline]
    change_form_template = "admin/metering/meter/change_form.html"

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return ["name", *IDENTITY, *([] if obj is not None else TERMS), "created_at"]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = NewMeterForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return [] if obj is None else self.inlines

    def get_queryset(self, request: HttpRequest) -> QuerySet[Meter]:
        used = Exists(HourlyRollup.objects.filter(meter_id=OuterRef("pk")))
        return super().get_queryset(request).annotate(has_counted=used)

    @admin.display(description=_("has counted"), boolean=True)
    def is_used(self, meter: Any) -> bool:
        return bool(meter.has_counted)

    @admin.display(description=_("past"))
    def past(self, meter: Meter) -> str:
        if not is_backfilling(meter):
            return gettext("counted")
        return gettext("%(percent)s %% counted") % {"percent": state_backfill(meter.backfill).percent}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["created_at", *IDENTITY] if obj is not None and obj.has_counted else ["created_at"]

    def save_model(self, request: HttpRequest, obj: Meter, form: Any, change: bool) -> None:
        if change:
            obj.save()
            return
        obj.created_at = timezone.now()
        version = MeterVersion(number=1, created_at=obj.created_at, **form.read_terms())
        save_meter(obj, version, at=obj.created_at)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and obj is not None and not obj.has_counted

    # Pages beside the form

    def get_urls(self) -> list[URLPattern]:
        own = [
            path("<int:meter_id>/progress/", self.admin_site.admin_view(self.progress_view), name="metering_progress"),
            path("<int:meter_id>/version/", self.admin_site.admin_view(self.version_view), name="metering_version"),
        ]
        return [*own, *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """With the preview that was asked for, or with how far the meter's past is counted."""
        meter: Meter | None = kwargs.get("obj")
        if meter is not None:
            context["progress"] = find_progress(meter.pk)
        form = context["adminform"].form
        if getattr(form, "shown", None) is not None:
            context |= {"preview": form.shown, "errors": []}
            form.errors.pop(NON_FIELD_ERRORS, None)
        return super().render_change_form(request, context, *args, **kwargs)

    def progress_view(self, request: HttpRequest, meter_id: int) -> HttpResponse:
        """How far the past is counted, for the bar that asks every two seconds."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        progress = find_progress(meter_id)
        done, total = (0, 0) if progress is None else (progress.done, progress.total)
        finished = progress is None or progress.is_finished
        return JsonResponse({"done": done, "total": total, "finished": finished}, headers={"Cache-Control": "no-store"})

    def version_view(self, request: HttpRequest, meter_id: int) -> HttpResponse:
        """Change what a meter counts, from a full hour on."""
        meter = get_object_or_404(Meter, pk=meter_id)
        if not self.has_change_permission(request, meter):
            raise PermissionDenied
        last = find_version(meter)
        initial = {name: getattr(last, name) for name in TERMS}
        form = NewVersionForm(request.POST or None, meter=meter, initial=initial)
        preview = None
        if request.method == "POST" and form.is_valid():
            if PREVIEW in request.POST:
                preview = form.preview(meter.aggregation)
            elif self.save_version(request, meter, form):
                return HttpResponseRedirect(reverse("admin:metering_meter_change", args=[meter.pk]))
        context = self.admin_site.each_context(request) | {
            "title": _("Change what %(meter)s counts") % {"meter": meter},
            "opts": self.opts,
            "subject": meter,
            "form": form,
            "media": self.media + form.media,
            "preview": preview,
        }
        return TemplateResponse(request, "admin/metering/meter/version.html", context)

    def save_version(self, request: HttpRequest, meter: Meter, form: NewVersionForm) -> bool:
        """False when it cannot be; the form then says why."""
        starts_at = form.cleaned_data["starts_at"]
        try:
            change_meter(meter.key, **form.read_terms(), starts_at=starts_at, at=timezone.now())
        except InvalidMeter as error:
            form.add_error(error.field if error.field in form.fields else None, str(error))
            return False
        moment = f"{starts_at:%Y-%m-%d %H:%M} UTC"
        self.log_change(request, meter, gettext("Counts by other terms from %(moment)s.") % {"moment": moment})
        self.message_user(request, gettext("From %(moment)s on it counts by these terms.") % {"moment": moment})
        return True
