"""Rules tried on history in the back-office: a question, and its answer by a job. For who sees every lead and alert."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.trial_answers import FoundTrial, TrialQuestion, UnknownTrial, ask_trial, read_answer
from crm.trial_wording import (
    list_measures,
    list_missed_columns,
    list_missed_rows,
    list_names,
    list_weeks,
    word_lead_life,
    word_left_out,
    word_missed,
)
from metering.grading import start_day
from metering.trials import list_rule_sets

LONGEST = timedelta(days=366)
USUAL = timedelta(days=60)


class TrialForm(forms.Form):
    """Which rules, over which days of UTC."""

    rule_set = forms.ChoiceField(label=_("Rule set"))
    start = forms.DateField(label=_("From"), widget=forms.DateInput(attrs={"type": "date"}))
    end = forms.DateField(label=_("and before"), widget=forms.DateInput(attrs={"type": "date"}))
    with_forecasts = forms.BooleanField(label=_("with forecasts, which takes longer"), required=False, initial=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["rule_set"] = forms.ChoiceField(
            label=_("Rule set"), choices=[(name, name) for name in list_rule_sets()]
        )
        today = timezone.now().date()
        self.fields["start"].initial, self.fields["end"].initial = today - USUAL, today

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        start, end = cleaned.get("start"), cleaned.get("end")
        if start and end and start >= end:
            self.add_error("end", _("The second day must be after the first."))
        elif start and end and end - start > LONGEST:
            self.add_error("end", _("A trial may be a year long at most."))
        return cleaned


def may_try(request: HttpRequest) -> bool:
    return request.user.has_perm("crm.view_all_leads") and request.user.has_perm("metering.view_alert")


def ask_view(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """The question; sent, it is promised to a job, whose page follows."""
    if not may_try(request):
        raise PermissionDenied
    form = TrialForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        asked = form.cleaned_data
        question = TrialQuestion(
            asked["rule_set"], start_day(asked["start"]), start_day(asked["end"]), asked["with_forecasts"]
        )
        key = str(uuid4())
        ask_trial(question, key=key, at=timezone.now())
        return HttpResponseRedirect(reverse("admin:crm_trial", args=[key]))
    return render(model_admin, request, "ask", form=form)


def answer_view(model_admin: Any, request: HttpRequest, key: Any) -> HttpResponse:
    if not may_try(request):
        raise PermissionDenied
    try:
        answer = read_answer(str(key))
    except UnknownTrial:
        raise Http404 from None
    shown = show_found(answer.found) if answer.found and answer.found.report else {}
    return render(model_admin, request, "answer", answer=answer, **shown)


def show_found(found: FoundTrial) -> dict[str, Any]:
    report = found.report
    if report is None:
        return {}
    return {
        "names": ["", *list_names(report)],
        "measures": list(list_measures(report)),
        "left_out": list(word_left_out(found.sets)),
        "lead_life": word_lead_life(report),
        "week_columns": [_("rep"), _("week of"), *list_names(report)],
        "weeks": list(list_weeks(report)),
        "missed_columns": list_missed_columns(),
        "missed": [(word_missed(each), list(list_missed_rows(each))) for each in report.sets if each.missed_count],
    }


def render(model_admin: Any, request: HttpRequest, page: str, **context: Any) -> TemplateResponse:
    context |= model_admin.admin_site.each_context(request)
    context |= {"title": _("Try rules on history"), "opts": model_admin.opts}
    return TemplateResponse(request, f"admin/crm/lead/trial_{page}.html", context)
