"""What customers would have paid under a plan version: asked from its page, answered by a job, read and downloaded."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing import whatif_answers
from billing.admin.pages import Tools, Words, render_page
from billing.models import Plan, PlanVersion
from billing.plans import InvalidPlan
from billing.whatif import MOST_PERIODS, Question, Skip, compare_versions, read_proposal
from billing.whatif_answers import Answer, Row, UnknownQuestion
from billing.whatif_reports import SKIP_WORDS, write_rows
from billing.wording import display_money

if TYPE_CHECKING:
    VersionModelAdmin = admin.ModelAdmin[PlanVersion]
else:
    VersionModelAdmin = object

SORTS = {"account": "account", "current": "current_minor", "proposed": "proposed_minor", "change": "change_minor"}


class QuestionForm(forms.Form):
    """Whose past, and how much of it."""

    periods = forms.IntegerField(
        label=_("Past periods"), min_value=1, max_value=MOST_PERIODS, initial=3, help_text=_("Of each subscription.")
    )
    from_plan = forms.ModelChoiceField(
        Plan.objects.order_by("rank"),
        label=_("Subscribers of"),
        required=False,
        empty_label=_("all plans"),
        to_field_name="slug",
    )


@dataclass(frozen=True, slots=True)
class ShownRow:
    account: str
    plan: str
    current: str
    proposed: str
    change: str


class WhatIfPages(Tools, VersionModelAdmin):
    """Pages under those of a plan version, for who may read versions and invoices."""

    def has_what_if_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm("billing.view_invoice")

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:version_id>/what-if/", wrap(self.ask_view), name="billing_what_if"),
            path("<int:version_id>/what-if/<uuid:key>/", wrap(self.answer_view), name="billing_what_if_answer"),
            path("<int:version_id>/what-if/<uuid:key>/csv/", wrap(self.csv_view), name="billing_what_if_csv"),
            *super().get_urls(),
        ]

    def list_tools(self, request: HttpRequest, row: PlanVersion) -> list[tuple[str, Words]]:
        tools = super().list_tools(request, row)
        if self.has_what_if_permission(request):
            tools.append((reverse("admin:billing_what_if", args=[row.pk]), _("What if?")))
        return tools

    def find_version(self, request: HttpRequest, version_id: int) -> PlanVersion:
        if not self.has_what_if_permission(request):
            raise PermissionDenied
        version = PlanVersion.objects.select_related("plan").filter(pk=version_id).first()
        if version is None:
            raise Http404
        return version

    def ask_view(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """The question; sent, it is promised to a job, whose page follows."""
        version = self.find_version(request, version_id)
        form = QuestionForm(request.POST if request.method == "POST" else None)
        if form.is_bound and form.is_valid():
            plan = form.cleaned_data["from_plan"]
            question = Question(
                version.pk,
                at=timezone.now(),
                periods=form.cleaned_data["periods"],
                from_plan=plan.slug if plan else "",
            )
            try:
                read_proposal(version.pk)
            except InvalidPlan as error:
                form.add_error(None, str(error))
            else:
                key = str(uuid4())
                whatif_answers.ask(question, key=key, at=question.at)
                return HttpResponseRedirect(reverse("admin:billing_what_if_answer", args=[version.pk, key]))
        return self.render_page(request, "ask", version, form=form)

    def answer_view(self, request: HttpRequest, version_id: int, key: Any) -> HttpResponse:
        version = self.find_version(request, version_id)
        answer = find_answer(version, str(key))
        sort = request.GET.get("sort", "-change")
        return self.render_page(
            request,
            "answer",
            version,
            answer=answer,
            question=answer.question,
            **(show_figures(answer, version.currency, sort) if answer.report else {}),
            key=key,
        )

    def csv_view(self, request: HttpRequest, version_id: int, key: Any) -> HttpResponseBase:
        """Every subscription, asked again as of the same moment and sent as it comes."""
        version = self.find_version(request, version_id)
        question = find_answer(version, str(key)).question
        rows = write_rows(compare_versions(question), version.currency)
        response = StreamingHttpResponse(rows, content_type="text/csv; charset=utf-8")
        name = f"what-if-{version.plan.slug}-v{version.number}.csv"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    def render_page(self, request: HttpRequest, page: str, version: PlanVersion, **context: Any) -> TemplateResponse:
        title = gettext("What if everybody had %(version)s?") % {"version": version}
        template = f"admin/billing/planversion/what_if_{page}.html"
        return render_page(self, request, template, title=title, subject=version, version=version, **context)


def find_answer(version: PlanVersion, key: str) -> Answer:
    try:
        answer = whatif_answers.read_answer(key)
    except UnknownQuestion:
        raise Http404 from None
    if answer.question.version_id != version.pk:
        raise Http404
    return answer


def show_figures(answer: Answer, currency: str, sort: str) -> dict[str, Any]:
    """Sums in words and the rows in the order that was asked for."""
    report = answer.report
    if report is None:
        return {}
    name = sort.removeprefix("-")
    field = SORTS.get(name, "change_minor")
    rows = sorted(report.rows, key=lambda row: getattr(row, field), reverse=sort.startswith("-"))
    return {
        "report": report,
        "current": display_money(report.current_minor, currency),
        "proposed": display_money(report.proposed_minor, currency),
        "change": display_money(report.proposed_minor - report.current_minor, currency),
        "skipped": [(SKIP_WORDS[Skip(reason)], count) for reason, count in sorted(report.skipped.items())],
        "rows": [show_row(row, currency) for row in rows],
        "columns": [show_column(key, label, sort) for key, label in list_columns()],
    }


def list_columns() -> list[tuple[str, Any]]:
    return [
        ("account", _("account")),
        ("", _("plan")),
        ("current", _("as it is")),
        ("proposed", _("then")),
        ("change", _("change")),
    ]


def show_column(key: str, label: Any, sort: str) -> dict[str, Any]:
    """Its heading, where a click leads, and what is said to who cannot see the arrow."""
    is_down, is_sorted = sort == f"-{key}", sort.removeprefix("-") == key
    return {
        "label": label,
        "sort": (key if is_down else f"-{key}") if key else "",
        "aria": ("descending" if is_down else "ascending") if is_sorted and key else "",
    }


def show_row(row: Row, currency: str) -> ShownRow:
    return ShownRow(
        account=row.account,
        plan=row.plan,
        current=display_money(row.current_minor, currency),
        proposed=display_money(row.proposed_minor, currency),
        change=("+" if row.change_minor > 0 else "") + display_money(row.change_minor, currency),
    )
