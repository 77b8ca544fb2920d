"""Billing runs: what they are, what they come to against the periods before, and what a person decides of them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef, QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from billing.admin.pages import render_page
from billing.admin.reading import ReadOnly
from billing.admin.run_entries import (
    CHOICE_WORDS,
    COLUMNS,
    read_asked,
    show_column,
    show_entries,
    show_sums,
    show_totals,
)
from billing.models import RUN_MOVING, BillingRun, BillingRunEntry, EntryState, RunState
from billing.rating import trim
from billing.runs import reports
from billing.runs.moves import RunRefused, UnknownRun, approve_run, cancel_run, read_run, read_seen, retry_entries
from billing.runs.opening import NothingDue, open_run, select_due
from billing.runs.reports import Choice

if TYPE_CHECKING:
    RunModelAdmin = admin.ModelAdmin[BillingRun]
else:
    RunModelAdmin = admin.ModelAdmin

PAGE = 100


class FailureFilter(admin.SimpleListFilter):
    title = _("failures")
    parameter_name = "failures"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("with failures"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[BillingRun]) -> QuerySet[BillingRun]:
        if self.value() != "yes":
            return queryset
        return queryset.filter(pk__in=BillingRunEntry.objects.filter(state=EntryState.FAILED).values("run"))


@admin.register(BillingRun)
class BillingRunAdmin(ReadOnly, RunModelAdmin):
    list_display = ["name", "at", "state", "origin", "entry_count", "failed", "finished_at"]
    list_filter = ["state", FailureFilter, "is_automatic"]
    list_per_page = 50
    list_select_related = ["opened_by"]
    show_full_result_count = False
    date_hierarchy = "at"
    ordering = ["-pk"]
    change_list_template = "admin/billing/billingrun/change_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[BillingRun]:
        failed = BillingRunEntry.objects.filter(run=OuterRef("pk"), state=EntryState.FAILED)
        return super().get_queryset(request).annotate(has_failed=Exists(failed))

    @admin.display(description=_("run"), ordering="pk")
    def name(self, run: BillingRun) -> str:
        return str(run)

    @admin.display(description=_("opened by"))
    def origin(self, run: BillingRun) -> str:
        return describe_opener(run)

    @admin.display(description=_("failed"))
    def failed(self, run: BillingRun) -> str:
        return str(run.entries.filter(state=EntryState.FAILED).count()) if getattr(run, "has_failed", True) else "–"

    def has_run_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.run_billing")

    def has_view_permission(self, request: HttpRequest, obj: BillingRun | None = None) -> bool:
        return super().has_view_permission(request, obj) or self.has_run_permission(request)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("open/", wrap(self.open_view), name="billing_run_open"),
            path("<int:run_id>/approve/", wrap(self.approve_view), name="billing_run_approve"),
            path("<int:run_id>/cancel/", wrap(self.cancel_view), name="billing_run_cancel"),
            path("<int:run_id>/retry/", wrap(self.retry_view), name="billing_run_retry"),
            path("<int:run_id>/progress/", wrap(self.progress_view), name="billing_run_progress"),
            path("<int:run_id>/csv/", wrap(self.csv_view), name="billing_run_csv"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        extra = {"may_run": self.has_run_permission(request)} | (extra_context or {})
        return super().changelist_view(request, extra)

    # The page of one run

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Progress, figures and entries. The bar moves by itself, and the page is shown anew when all is done."""
        run = self.find_run(request, object_id)
        asked, form = read_asked(request)
        entries = reports.list_entries(run, least_change=asked.change)
        counts = reports.count_choices(entries)
        chosen = reports.sort(reports.search(reports.choose(entries, asked.show), asked.words), asked.sort)
        page = Paginator(reports.with_names(chosen), PAGE).get_page(request.GET.get("page"))
        may_run = self.has_run_permission(request)
        return render_page(
            self,
            request,
            "admin/billing/billingrun/run.html",
            title=gettext("Billing run %(number)s") % {"number": run.pk},
            run=run,
            opener=describe_opener(run),
            approver=describe_approver(run),
            approved=show_totals(run.approved_totals),
            progress=reports.read_progress(run),
            is_moving=run.state in RUN_MOVING,
            sums=[show_sums(each) for each in reports.sum_entries(run)],
            choices=[
                (CHOICE_WORDS[choice], counts[choice], asked.write(show=choice.value), choice == asked.show)
                for choice in Choice
            ],
            columns=[show_column(key, label, asked) for key, label in COLUMNS],
            rows=show_entries(list(page)),
            page=page,
            before=asked.write(page=page.previous_page_number()) if page.has_previous() else "",
            after=asked.write(page=page.next_page_number()) if page.has_next() else "",
            form=form,
            asked=asked,
            least_change=f"{trim(asked.change):f}",
            query=asked.write(),
            may_approve=may_run and run.state == RunState.AWAITING,
            may_cancel=may_run and run.finished_at is None,
            may_retry=may_run and run.entries.filter(state=EntryState.FAILED).exists(),
        )

    def progress_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        """How far it is, for the bar that asks every two seconds."""
        run = self.find_run(request, run_id)
        progress = reports.read_progress(run)
        told = {"done": progress.done, "total": progress.total, "finished": run.state not in RUN_MOVING}
        return JsonResponse(told, headers={"Cache-Control": "no-store"})

    def csv_view(self, request: HttpRequest, run_id: int) -> HttpResponseBase:
        """The entries that are shown, all pages of them."""
        run = self.find_run(request, run_id)
        asked, _form = read_asked(request)
        entries = reports.list_entries(run, least_change=asked.change)
        chosen = reports.sort(reports.search(reports.choose(entries, asked.show), asked.words), asked.sort)
        response = StreamingHttpResponse(reports.write_entries(chosen), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="billing-run-{run.pk}.csv"'
        return response

    # What a person decides

    def open_view(self, request: HttpRequest) -> HttpResponse:
        """A preview of what is due; nothing is billed before somebody has approved it."""
        self.require_run_permission(request)
        at = timezone.now()
        if request.method == "POST":
            try:
                run = open_run(at=at, by=request.user.pk)
            except NothingDue:
                self.message_user(request, gettext("Nothing is due, or all of it is in a run already."), messages.INFO)
                return HttpResponseRedirect(reverse("admin:billing_billingrun_changelist"))
            self.log_addition(request, run, gettext("Opened."))
            return HttpResponseRedirect(name_page(run))
        due = select_due(at).count()
        words = ngettext("%(count)s period is due.", "%(count)s periods are due.", due) % {"count": due}
        return self.ask(
            request,
            None,
            title=gettext("Open a billing run"),
            sentences=[words, gettext("Its invoices are previewed first. Nothing is issued before you approve it.")],
            verb=gettext("Preview what is due") if due else "",
        )

    def approve_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        """Says how many invoices over how much; what is approved is that and nothing else."""
        self.require_run_permission(request)
        run = self.find_run(request, run_id)

        def approve() -> str:
            approve_run(run.pk, seen=request.POST.get("seen", ""), at=timezone.now(), by=request.user.pk)
            return gettext("Approved.")

        seen = read_seen(run)
        count = ngettext(
            "%(count)s invoice will be issued, over:", "%(count)s invoices will be issued, over:", seen.count
        )
        sentences = [count % {"count": seen.count}, *show_totals(seen.totals)]
        if seen.unknown:
            words = ngettext(
                "%(count)s of them could not be previewed; it is tried again.",
                "%(count)s of them could not be previewed; they are tried again.",
                seen.unknown,
            )
            sentences.append(words % {"count": seen.unknown})
        sentences.append(gettext("Usage that has come since the preview is billed as well."))
        return self.decide(
            request,
            run,
            approve,
            is_possible=run.state == RunState.AWAITING,
            title=gettext("Approve the run?"),
            sentences=sentences,
            verb=gettext("Approve, and issue the invoices"),
            seen=str(seen),
        )

    def cancel_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        self.require_run_permission(request)
        run = self.find_run(request, run_id)

        def cancel() -> str:
            cancel_run(run.pk, at=timezone.now(), by=request.user.pk)
            return gettext("Cancelled.")

        return self.decide(
            request,
            run,
            cancel,
            is_possible=run.finished_at is None,
            title=gettext("Cancel the run?"),
            sentences=[
                gettext("Nothing more of it is billed. Invoices that are issued stay as they are."),
                gettext("What was not billed is due, and will be in the next run."),
            ],
            verb=gettext("Cancel the run"),
        )

    def retry_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        """All that failed, or the one entry that the address names."""
        self.require_run_permission(request)
        run = self.find_run(request, run_id)
        entry_id = request.GET.get("entry", "")
        chosen = [int(entry_id)] if entry_id.isdecimal() and len(entry_id) < 19 else None
        failed = run.entries.filter(state=EntryState.FAILED)
        if chosen is not None:
            failed = failed.filter(pk__in=chosen)
        count = failed.count()

        def retry() -> str:
            retried = retry_entries(run.pk, at=timezone.now(), entry_ids=chosen)
            words = ngettext("%(count)s entry is tried again.", "%(count)s entries are tried again.", retried)
            return words % {"count": retried}

        names = [str(entry.account) for entry in failed.select_related("account").order_by("account__name", "pk")[:20]]
        words = ngettext("%(count)s entry that failed:", "%(count)s entries that failed:", count) % {"count": count}
        return self.decide(
            request,
            run,
            retry,
            is_possible=count > 0,
            title=gettext("Try again what failed?"),
            sentences=[words, ", ".join(names) + (" …" if count > len(names) else "")],
            verb=gettext("Try again"),
        )

    def decide(
        self,
        request: HttpRequest,
        run: BillingRun,
        act: Callable[[], str],
        *,
        is_possible: bool,
        title: str,
        **question: Any,
    ) -> HttpResponse:
        """Ask; sent, do it and say so in the run's history. What is refused is told on the run's page."""
        if request.method != "POST" and is_possible:
            return self.ask(request, run, title=title, **question)
        try:
            if not is_possible and request.method != "POST":
                raise RunRefused(gettext("There is nothing to decide any more: look at what became of it."))
            done = act()
        except RunRefused as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.log_change(request, run, done)
            self.message_user(request, done, messages.SUCCESS)
        return HttpResponseRedirect(name_page(run))

    def ask(self, request: HttpRequest, run: BillingRun | None, *, title: str, **context: Any) -> HttpResponse:
        back = name_page(run) if run else reverse("admin:billing_billingrun_changelist")
        return render_page(
            self, request, "admin/billing/billingrun/decide.html", title=title, subject=run, back=back, **context
        )

    def find_run(self, request: HttpRequest, run_id: Any) -> BillingRun:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if not str(run_id).isdecimal() or len(str(run_id)) > 18:
            raise Http404
        try:
            return read_run(int(run_id))
        except UnknownRun:
            raise Http404 from None

    def require_run_permission(self, request: HttpRequest) -> None:
        if not self.has_run_permission(request):
            raise PermissionDenied


def name_page(run: BillingRun) -> str:
    return reverse("admin:billing_billingrun_change", args=[run.pk])


def describe_opener(run: BillingRun) -> str:
    if run.is_automatic:
        return gettext("by itself")
    return str(run.opened_by) if run.opened_by else gettext("on the command line")


def describe_approver(run: BillingRun) -> str:
    if run.approved_at is None:
        return ""
    if run.approved_by:
        return str(run.approved_by)
    return gettext("by itself") if run.is_automatic else gettext("on the command line")
