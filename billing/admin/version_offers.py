"""When a plan version is on offer: published or scheduled as a draft, retired afterwards, each from its own page."""

from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from billing.admin.credit_forms import MomentField
from billing.admin.pages import Question, Tools, Words, fill_form
from billing.admin.reading import show_moment
from billing.models import LIVE, PlanVersion
from billing.plans import InvalidPlan, retire_version, schedule_version

if TYPE_CHECKING:
    VersionModelAdmin = admin.ModelAdmin[PlanVersion]
else:
    VersionModelAdmin = object

MAY_OFFER = "billing.change_planversion"


class OfferForm(forms.Form):
    offered_from = MomentField(label=_("on offer from"), required=False, help_text=_("UTC. Empty: from now on."))


class OfferPages(Tools, VersionModelAdmin):
    def list_tools(self, request: HttpRequest, row: PlanVersion) -> list[tuple[str, Words]]:
        tools = super().list_tools(request, row)
        if not request.user.has_perm(MAY_OFFER):
            return tools
        if row.published_at is None:
            tools.append((reverse("admin:billing_version_offer", args=[row.pk]), _("Publish or schedule")))
        elif row.retired_at is None:
            tools.append((reverse("admin:billing_version_retire", args=[row.pk]), _("Retire")))
        return tools

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:version_id>/offer/", wrap(self.offer_view), name="billing_version_offer"),
            path("<int:version_id>/retire/", wrap(self.retire_view), name="billing_version_retire"),
            *super().get_urls(),
        ]

    def find_to_offer(self, request: HttpRequest, version_id: int) -> PlanVersion:
        if not request.user.has_perm(MAY_OFFER):
            raise PermissionDenied
        return find_version(version_id)

    def offer_view(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """From when, then the terms in words, then the version is frozen for ever."""
        version = self.find_to_offer(request, version_id)
        return fill_form(
            self,
            request,
            OfferForm(request.POST if request.method == "POST" else None),
            title=_("Publish or schedule"),
            ask=partial(self.ask_to_offer, version),
            act=partial(self.offer, request, version),
            refusals=(InvalidPlan,),
            subject=version,
        )

    def ask_to_offer(self, version: PlanVersion, form: OfferForm) -> Question:
        start = form.cleaned_data["offered_from"]
        text = gettext("%(version)s goes on offer to new subscribers. It can never be changed after that.")
        terms = [
            (_("on offer from"), show_moment(start) if start else _("now")),
            (_("currency"), version.currency),
            (_("in words"), self.in_words(version)),  # type: ignore[attr-defined]
        ]
        return Question(text % {"version": version}, _("Publish it"), terms)

    def offer(self, request: HttpRequest, version: PlanVersion, form: OfferForm) -> HttpResponse:
        at = timezone.now()
        terms = schedule_version(version.pk, offered_from=form.cleaned_data["offered_from"] or at, at=at)
        start = show_moment(terms.offered_from or at)
        words = {"version": version, "moment": start}
        self.log_change(request, version, gettext("On offer from %(moment)s.") % words)
        text = gettext("%(version)s is on offer from %(moment)s.") % words
        return self.tell_offered(request, version, text)

    def retire_view(self, request: HttpRequest, version_id: int) -> HttpResponse:
        version = self.find_to_offer(request, version_id)
        count = version.subscriptions.filter(state__in=LIVE).count()
        stays = ngettext("%(count)d subscriber stays on it.", "%(count)d subscribers stay on it.", count)
        text = gettext("Nobody else can subscribe to it, and it never comes back.")
        question = Question(text, _("Retire"), [(_("subscribers"), stays % {"count": count})])

        def act(_form: forms.Form) -> HttpResponse:
            retire_version(version.pk, at=timezone.now())
            self.log_change(request, version, gettext("Retired."))
            return self.tell_offered(request, version, gettext("%(version)s is retired.") % {"version": version})

        return fill_form(
            self,
            request,
            forms.Form(request.POST),
            title=_("Retire"),
            ask=lambda _form: question,
            act=act,
            refusals=(InvalidPlan,),
            subject=version,
        )

    def tell_offered(self, request: HttpRequest, version: PlanVersion, text: str) -> HttpResponse:
        self.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:billing_planversion_change", args=[version.pk]))


def find_version(version_id: Any) -> PlanVersion:
    version = PlanVersion.objects.select_related("plan").filter(pk=version_id).first()
    if version is None:
        raise Http404
    return version
