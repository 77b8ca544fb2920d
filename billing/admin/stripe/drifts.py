"""Where Palier and Stripe differ: how much of what, why, and what was done; repaired, accepted or looked at again."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Count, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from billing.admin.pages import Words, ask_first
from billing.admin.reading import NamedBlankFilter, ReadOnly, list_sentences, show_moment
from billing.admin.stripe.overview import answer_overview, look_everywhere
from billing.admin.stripe.showing import may_repair
from billing.models import DRIFT_KINDS, DriftAct, DriftState, StripeDrift, StripeDriftMove
from billing.stripe.drifts import DriftClosed, accept_drift
from billing.stripe.reconciling.repairs import NoRepair, find_repair, promise_look, promise_repair
from billing.stripe.reconciling.wording import explain_drift
from billing.wording import display_money

if TYPE_CHECKING:
    DriftModelAdmin = admin.ModelAdmin[StripeDrift]
else:
    DriftModelAdmin = admin.ModelAdmin


class KindFilter(admin.SimpleListFilter):
    title = _("what differs")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(DRIFT_KINDS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[StripeDrift]) -> QuerySet[StripeDrift]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class ReasonForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), max_length=500, help_text=_("Why both may say what they say."))


@admin.register(StripeDrift)
class StripeDriftAdmin(ReadOnly, DriftModelAdmin):
    list_display = ["what", "key", "account", "ours", "theirs", "difference", "state", "opened_at", "seen_at"]
    list_filter = ["state", KindFilter, ("currency", NamedBlankFilter)]
    list_select_related = ["account"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "opened_at"
    ordering = ["-pk"]
    search_fields = ["account__key", "account__name", "key", "cause"]
    search_help_text = _("Search in accounts, causes, and what it is about")
    fields = [
        "what", "key", "account", "ours", "theirs", "difference", "cause", "advice", "state", "opened_at", "seen_at",
        "closed_at", "closed_by", "reason", "history_text",
    ]  # fmt: skip
    readonly_fields = ["what", "difference", "advice", "history_text"]
    actions = ["look_again", "repair", "adjust", "accept"]
    change_list_template = "admin/billing/stripedrift/change_list.html"
    change_form_template = "admin/billing/stripedrift/change_form.html"

    # What it shows

    @admin.display(description=_("what differs"), ordering="kind")
    def what(self, drift: StripeDrift) -> str:
        return str(DRIFT_KINDS.get(drift.kind, drift.kind))

    @admin.display(description=_("difference"), ordering="difference_minor")
    def difference(self, drift: StripeDrift) -> str:
        return "–" if drift.difference_minor is None else display_money(drift.difference_minor, drift.currency)

    @admin.display(description=_("what to do"))
    def advice(self, drift: StripeDrift) -> str:
        return explain_drift(drift.kind)

    @admin.display(description=_("what was done"))
    def history_text(self, drift: StripeDrift) -> SafeString:
        return list_sentences(describe_move(move) for move in drift.moves.select_related("by"))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """With the sums over all that the filters leave, by kind and currency."""
        response = super().changelist_view(request, extra_context)
        changes = getattr(response, "context_data", {}).get("cl")
        if changes is not None:
            response.context_data["totals"] = list_totals(changes.queryset)  # type: ignore[attr-defined]
        return response

    def get_urls(self) -> list[URLPattern]:
        overview = self.admin_site.admin_view(lambda request: answer_overview(self, request))
        look = self.admin_site.admin_view(lambda request: look_everywhere(self, request))
        return [
            path("overview/", overview, name="billing_stripe_overview"),
            path("overview/look/", look, name="billing_stripe_look"),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        drift = context.get("original")
        context["acts"] = list_acts(drift) if drift and may_repair(request) else []
        context["checkbox_name"] = ACTION_CHECKBOX_NAME
        return super().render_change_form(request, context, *args, **kwargs)

    # Who may do what

    def has_repair_permission(self, request: HttpRequest) -> bool:
        return may_repair(request)

    # What can be done

    @admin.action(description=_("Look again whether they differ"), permissions=["repair"])
    def look_again(self, request: HttpRequest, queryset: QuerySet[StripeDrift]) -> None:
        """One job for each account: reading Stripe takes its time."""
        accounts = set(queryset.values_list("account_id", flat=True))
        for account_id in accounts:
            promise_look(account_id, at=timezone.now())
        text = ngettext("%(count)d account is looked at.", "%(count)d accounts are looked at.", len(accounts))
        self.message_user(request, text % {"count": len(accounts)}, messages.SUCCESS)

    @admin.action(description=_("Repair: send again, charge or mirror anew"), permissions=["repair"])
    def repair(self, request: HttpRequest, queryset: QuerySet[StripeDrift]) -> HttpResponse | None:
        question = _("Each of these is repaired by a job, which then looks again:")
        return self.have_done(request, queryset, DriftAct.RESENT, question, action="repair", verb=_("Repair"))

    @admin.action(description=_("Adjust: put the difference on Stripe's draft"), permissions=["repair"])
    def adjust(self, request: HttpRequest, queryset: QuerySet[StripeDrift]) -> HttpResponse | None:
        question = _("Of each of these one more line makes Stripe's draft ask what is due, and it is collected:")
        return self.have_done(request, queryset, DriftAct.ADJUSTED, question, action="adjust", verb=_("Adjust"))

    def have_done(
        self,
        request: HttpRequest,
        queryset: QuerySet[StripeDrift],
        act: DriftAct,
        question: Words,
        *,
        action: str,
        verb: Words,
    ) -> HttpResponse | None:
        """After the question, a job for each that can be done so."""
        drifts = [drift for drift in self.pick_open(queryset) if find_repair(drift, act)]
        if not drifts:
            text = _("None of the selected drifts is open and of a kind that this can be done about.")
            self.message_user(request, text, messages.WARNING)
            return None
        if "confirmed" not in request.POST:
            rows = [
                (each, each.account or "–", f"{self.difference(each)} ({name_repair(each, act)})") for each in drifts
            ]
            return ask_first(self, request, rows, action=action, question=question, verb=verb)
        by, at = request.user.pk, timezone.now()
        self.act(request, drifts, lambda drift: promise_repair(drift.pk, by=by, at=at, act=act))
        return None

    @admin.action(description=_("Accept, with a reason"), permissions=["repair"])
    def accept(self, request: HttpRequest, queryset: QuerySet[StripeDrift]) -> HttpResponse | None:
        drifts = self.pick_open(queryset)
        if not drifts:
            self.message_user(request, _("None of the selected drifts is open."), messages.WARNING)
            return None
        form = ReasonForm(request.POST if "confirmed" in request.POST else None)
        if "confirmed" not in request.POST or not form.is_valid():
            question = _("These stay as they are, until one of both figures changes:")
            rows = [(drift, drift.account or "–", self.difference(drift)) for drift in drifts]
            return ask_first(self, request, rows, action="accept", question=question, verb=_("Accept"), form=form)
        reason, by = form.cleaned_data["reason"], int(request.user.pk or 0)
        self.act(request, drifts, lambda drift: accept_drift(drift.pk, by=by, reason=reason, at=timezone.now()))
        return None

    def pick_open(self, queryset: QuerySet[StripeDrift]) -> list[StripeDrift]:
        return list(queryset.filter(state=DriftState.OPEN).select_related("account").order_by("pk"))

    def act(self, request: HttpRequest, drifts: list[StripeDrift], deed: Callable[[StripeDrift], Any]) -> None:
        count = 0
        for drift in drifts:
            try:
                deed(drift)
            except (DriftClosed, NoRepair) as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                count += 1
                self.log_change(request, drift, gettext("Repaired or accepted by hand."))
        text = ngettext("Done for %(count)d drift.", "Done for %(count)d drifts.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)


def list_acts(drift: StripeDrift) -> list[tuple[str, Words]]:
    """The actions of the list that can be done about this one, with the words of their buttons."""
    if drift.state != DriftState.OPEN:
        return []
    repairs = {"repair": find_repair(drift, DriftAct.RESENT), "adjust": find_repair(drift, DriftAct.ADJUSTED)}
    return [
        *[(action, capfirst(str(found.verb))) for action, found in repairs.items() if found],
        ("look_again", _("Look again whether they differ")),
        ("accept", _("Accept, with a reason")),
    ]


def name_repair(drift: StripeDrift, act: DriftAct) -> str:
    found = find_repair(drift, act)
    return str(found.verb) if found else "–"


def describe_move(move: StripeDriftMove) -> str:
    who = f" ({move.by})" if move.by else ""
    note = f": {move.note}" if move.note else ""
    return f"{show_moment(move.at)} {move.get_act_display()}{who}{note}"


def list_totals(drifts: QuerySet[StripeDrift]) -> list[tuple[str, int, str]]:
    """What differs, how often, and the sum by currency; two statements."""
    rows = drifts.order_by().values("kind", "currency").annotate(count=Count("pk"), total=Sum("difference_minor"))
    return [
        (
            str(DRIFT_KINDS.get(row["kind"], row["kind"])),
            row["count"],
            "" if row["total"] is None else display_money(row["total"], row["currency"]),
        )
        for row in rows.order_by("kind", "currency")
    ]
