"""Background work as the operator reads it. Rows are written by the machinery alone; dead ones can be tried again."""

import json
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from jobs.models import Job, JobState
from jobs.queue import list_kinds, retry_dead

if TYPE_CHECKING:
    JobModelAdmin = admin.ModelAdmin[Job]
else:
    JobModelAdmin = admin.ModelAdmin


TEXT = '<pre class="job-text">{}</pre>'


class KindFilter(admin.SimpleListFilter):
    """Kinds come from the registered handlers: reading them off the rows would scan the table."""

    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind, kind) for kind in list_kinds()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Job)
class JobAdmin(JobModelAdmin):
    list_display = ["key", "kind", "state", "attempt", "progress", "run_at", "started_at", "finished_at"]
    list_filter = ["state", KindFilter]
    date_hierarchy = "created_at"
    search_fields = ["key", "kind", "error"]
    search_help_text = _("Search in keys, kinds and errors")
    ordering = ["-pk"]
    list_per_page = 50
    show_full_result_count = False
    actions = ["retry_dead_jobs"]
    fieldsets = [
        (None, {"fields": ["kind", "key", "state", "progress", "attempt", "error_text", "payload_text"]}),
        (_("Times"), {"fields": ["created_at", "run_at", "started_at", "lease_until", "finished_at"]}),
    ]

    class Media:
        css = {"all": ["jobs/admin.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        return request.user.has_perm("jobs.view_job") or request.user.has_perm("jobs.change_job")

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("jobs.change_job")

    @admin.display(description=_("attempt"))
    def attempt(self, job: Job) -> str:
        return f"{job.attempts} / {job.max_attempts}"

    @admin.display(description=_("progress"))
    def progress(self, job: Job) -> str | SafeString:
        if job.progress_total:
            bar = '<progress value="{0}" max="{1}">{0} / {1}</progress> {0} / {1}'
            return format_html(bar, job.progress_done, job.progress_total)
        return str(job.progress_done) if job.progress_done else "–"

    @admin.display(description=_("error"))
    def error_text(self, job: Job) -> str | SafeString:
        return format_html(TEXT, job.error) if job.error else "–"

    @admin.display(description=_("payload"))
    def payload_text(self, job: Job) -> SafeString:
        return format_html(TEXT, json.dumps(job.payload, indent=2, ensure_ascii=False, sort_keys=True))

    @admin.action(description=_("Retry dead jobs"), permissions=["retry"])
    def retry_dead_jobs(self, request: HttpRequest, queryset: QuerySet[Job]) -> TemplateResponse | None:
        """Ask first, saying how many of the chosen jobs are dead; the others are left alone."""
        dead = queryset.filter(state=JobState.DEAD).order_by("pk")
        count = dead.count()
        if count == 0:
            self.message_user(request, _("None of the chosen jobs is dead."), messages.WARNING)
            return None
        if "confirmed" not in request.POST:
            return self.confirm_retry(request, dead, count)
        at = timezone.now()
        retried = sum(retry_dead(job_id, at=at) for job_id in dead.values_list("pk", flat=True))
        text = ngettext("%(count)d job will be tried again.", "%(count)d jobs will be tried again.", retried)
        self.message_user(request, text % {"count": retried}, messages.SUCCESS)
        return None

    def confirm_retry(self, request: HttpRequest, dead: QuerySet[Job], count: int) -> TemplateResponse:
        context = self.admin_site.each_context(request) | {
            "title": _("Retry dead jobs"),
            "opts": self.opts,
            "count": count,
            "jobs": dead[:20],
            "action": "retry_dead_jobs",
            "checkbox_name": ACTION_CHECKBOX_NAME,
            "chosen": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "select_across": request.POST.get("select_across", "0"),
        }
        return TemplateResponse(request, "admin/jobs/job/retry_confirmation.html", context)
