"""Plans and prices from a file, in the back-office: first what it would change, then the change."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from billing.catalogue_files import Fault, InvalidCatalogue
from billing.price_imports import Action, ImportReport, import_catalogue, list_templates, read_template

LARGEST_FILE = 1_000_000  # bytes
ACTIONS = {
    Action.NEW_PLAN: _("new plan"),
    Action.NEW_VERSION: _("new version"),
    Action.PUBLISHED: _("draft is published"),
    Action.UNCHANGED: _("unchanged"),
}
NEEDED = ["billing.add_plan", "billing.change_plan", "billing.add_planversion", "billing.change_planversion"]


class CatalogueForm(forms.Form):
    """A file, one of the templates, or the text of a file that was looked at."""

    file = forms.FileField(label=_("file"), required=False, help_text=_("JSON, as docs/catalogue.md describes it."))
    template = forms.ChoiceField(label=_("or a template"), required=False)
    text = forms.CharField(required=False, strip=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["template"].choices = [("", "–"), *((name, name) for name in list_templates())]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        upload = values.get("file")
        if upload is not None:
            if upload.size > LARGEST_FILE:
                raise forms.ValidationError(gettext("The file is too large."))
            try:
                values["text"] = upload.read().decode("utf-8")
            except UnicodeDecodeError:
                raise forms.ValidationError(gettext("The file is no text in UTF-8.")) from None
        elif values.get("template"):
            values["text"] = read_template(values["template"])
        if not values.get("text"):
            raise forms.ValidationError(gettext("Choose a file or a template."))
        return values


def may_import(request: HttpRequest) -> bool:
    return request.user.has_perms(NEEDED)


def import_view(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """The file, then what it would change or all that is wrong with it, then the change. Sent twice it is made once."""
    if not may_import(request):
        raise PermissionDenied
    form = CatalogueForm(request.POST, request.FILES) if request.method == "POST" else CatalogueForm()
    report: ImportReport | None = None
    faults: tuple[Fault, ...] = ()
    if form.is_bound and form.is_valid():
        is_confirmed = "confirmed" in request.POST
        try:
            report = import_catalogue(form.cleaned_data["text"], at=timezone.now(), is_dry=not is_confirmed)
        except InvalidCatalogue as error:
            faults = error.faults
        else:
            if is_confirmed:
                count = sum(change.action is not Action.UNCHANGED for change in report.changes)
                text = ngettext("%(count)d version was published.", "%(count)d versions were published.", count)
                messages.success(request, text % {"count": count})
                return HttpResponseRedirect(reverse("admin:billing_planversion_changelist"))
    context |= {
        "title": gettext("Import plans and prices"),
        "form": form,
        "faults": faults,
        "report": report,
        "changes": [(change, ACTIONS[change.action]) for change in report.changes] if report else [],
        "text": form.cleaned_data.get("text", "") if form.is_bound and form.is_valid() else "",
    }
    return TemplateResponse(request, "admin/billing/planversion/import.html", context)
