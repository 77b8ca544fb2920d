"""All who are on a version, moved to what a plan offers: who they are and what changes, then a job for each."""

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from billing.admin.pages import Question, Tools, Words, fill_form
from billing.admin.plan_changes import WHEN
from billing.admin.reading import show_moment
from billing.admin.version_offers import find_version
from billing.models import PlanVersion
from billing.plans import UnknownPlan, list_plans
from billing.subscriber_moves import When, count_subscribers, enqueue_moves, preview_moves
from billing.wording import display_money

if TYPE_CHECKING:
    VersionModelAdmin = admin.ModelAdmin[PlanVersion]
else:
    VersionModelAdmin = object

MAY_MOVE = ("billing.view_planversion", "billing.change_subscription")
SHOWN = 100


class SubscribersForm(forms.Form):
    plan = forms.ChoiceField(label=_("to what is on offer of"))
    when = forms.ChoiceField(label=_("takes effect"), choices=WHEN, initial=When.AT_END.value)
    once = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, version: PlanVersion, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.version = version
        offers = list_plans(currency=version.currency, at=timezone.now())
        self.names = {
            offer.slug: f"{offer.name} v{offer.version_number}" for offer in offers if offer.version_id != version.pk
        }
        plan = self.fields["plan"]
        plan.choices = list(self.names.items())  # type: ignore[attr-defined]
        if not self.names:
            plan.help_text = gettext("No other version is on offer in its currency.")


class SubscriberMovePages(Tools, VersionModelAdmin):
    def list_tools(self, request: HttpRequest, row: PlanVersion) -> list[tuple[str, Words]]:
        tools = super().list_tools(request, row)
        if request.user.has_perms(MAY_MOVE) and count_subscribers(row.pk):
            tools.append((reverse("admin:billing_version_move", args=[row.pk]), _("Move its subscribers")))
        return tools

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.move_view)
        return [path("<int:version_id>/move/", view, name="billing_version_move"), *super().get_urls()]

    def move_view(self, request: HttpRequest, version_id: int) -> HttpResponse:
        if not request.user.has_perms(MAY_MOVE):
            raise PermissionDenied
        version = find_version(version_id)
        data = request.POST if request.method == "POST" else None
        return fill_form(
            self,
            request,
            SubscribersForm(data, version=version, initial={"once": uuid4()}),
            title=_("Move its subscribers"),
            ask=ask_to_move,
            act=partial(self.move, request),
            refusals=(UnknownPlan,),
            subject=version,
            template="admin/billing/planversion/move.html",
        )

    def move(self, request: HttpRequest, form: SubscribersForm) -> HttpResponse:
        values = form.cleaned_data
        count = enqueue_moves(
            form.version.pk,
            values["plan"],
            when=When(values["when"]),
            key=str(values["once"]),
            at=timezone.now(),
            by=request.user.pk,
        )
        words = {"count": count, "plan": form.names[values["plan"]]}
        text = ngettext(
            "%(count)d subscriber is moved to %(plan)s; who cannot be stays on the list.",
            "%(count)d subscribers are moved to %(plan)s; who cannot be stays on the list.",
            count,
        )
        self.log_change(request, form.version, text % words)
        self.message_user(request, text % words, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:billing_planversion_change", args=[form.version.pk]))


def ask_to_move(form: SubscribersForm) -> Question:
    """The dry run: what changes of the terms, and of the first subscribers when, for how much, or why not."""
    version, plan, when = form.version, form.cleaned_data["plan"], When(form.cleaned_data["when"])
    report = preview_moves(version.pk, plan, when=when, at=timezone.now(), limit=SHOWN)
    count = count_subscribers(version.pk)
    text = ngettext(
        "%(count)d subscriber goes from %(before)s to %(after)s:",
        "%(count)d subscribers go from %(before)s to %(after)s:",
        count,
    ) % {"count": count, "before": version, "after": form.names[plan]}
    rows = [
        {
            "name": move.account_name,
            "subscription": move.subscription_id,
            "moment": show_moment(move.takes_effect_at) if move.takes_effect_at else "–",
            "amount": display_money(move.net_minor, version.currency),
            "refusal": move.refusal,
        }
        for move in report.subscribers
    ]
    more = count - len(rows)
    return Question(
        text,
        _("Move them"),
        [(_("takes effect"), dict(WHEN)[when.value])],
        {"report": report, "rows": rows, "more": more},
    )
