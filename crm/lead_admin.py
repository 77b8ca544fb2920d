"""The list of leads and the lead page. Every way in starts from the leads a person may see; each verb has its form."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from crm import trial_pages
from crm.access import identify, visible_leads
from crm.assignment import assign_lead, take_lead
from crm.exports import export_leads
from crm.facts import CRMError
from crm.frozen import thaw_headline
from crm.lead_filters import KindFilter, LevelFilter, PriorityFilter, StageFilter, WhoseFilter
from crm.lead_forms import AssignForm, MoveForm, NoteForm, SnoozeForm
from crm.lead_pages import build_page
from crm.models import WORST_FIRST, Lead, Priority, RepProfile, Stage
from crm.notes import add_note
from crm.signals import add_headlines
from crm.snoozing import snooze_lead
from crm.transitions import move_lead
from crm.words import say_percent, say_why

if TYPE_CHECKING:
    LeadModelAdmin = admin.ModelAdmin[Lead]
else:
    LeadModelAdmin = admin.ModelAdmin

NAMED_ON_CONFIRMATION = 20
Words = str | Promise
NOTHING = "–"
ARROWS = {Priority.HIGH: "▲", Priority.NORMAL: "●", Priority.LOW: "▽"}


def draw_priority(lead: Lead) -> SafeString:
    """A word and a shape: the colour only repeats them."""
    priority = Priority(lead.priority)
    return format_html(
        '<span class="badge badge-priority-{}"><span aria-hidden="true">{}</span> {}</span>',
        priority.name.lower(),
        ARROWS[priority],
        priority.label,
    )


class LeadAdmin(LeadModelAdmin):
    list_display = ["account", "priority_name", "why", "level_reached", "stage_name", "rep_or_queue", "opened"]
    list_select_related = ["account", "rep__user"]
    list_per_page = 50
    show_full_result_count = False
    ordering = WORST_FIRST
    date_hierarchy = "opened_at"
    search_fields = ["account__key", "account__name"]
    search_help_text = _("Search in account names and keys")
    actions = ["assign_selected", "take_selected"]

    # What is seen

    def get_queryset(self, request: HttpRequest) -> QuerySet[Lead]:
        return add_headlines(visible_leads(request.user)).order_by(*self.get_ordering(request))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Lead:
        """A lead that is not for these eyes is not there: on every page, not only on its own."""
        lead = super().get_object(request, object_id, from_field)
        if lead is None:
            raise Http404(_("There is no such lead."))
        return lead

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        by_rep = [("rep", admin.RelatedOnlyFieldListFilter)] if self.has_assign_permission(request) else []
        return [StageFilter, WhoseFilter, PriorityFilter, KindFilter, LevelFilter, *by_rep]

    @admin.display(description=_("why, as it was seen"))
    def why(self, lead: Any) -> str:
        return say_why(thaw_headline(lead.headline), at=timezone.now()) if lead.headline else ""

    @admin.display(description=_("priority"), ordering="priority")
    def priority_name(self, lead: Lead) -> SafeString:
        return draw_priority(lead)

    @admin.display(description=_("level"), ordering="level")
    def level_reached(self, lead: Lead) -> SafeString:
        if lead.level is None:
            return format_html('<span class="quiet">{}</span>', NOTHING)
        kind = "over" if lead.level >= 100 else "warning"
        return format_html('<span class="badge badge-{}">{}</span>', kind, say_percent(lead.level))

    @admin.display(description=_("stage"), ordering="stage")
    def stage_name(self, lead: Lead) -> SafeString:
        return format_html('<span class="badge badge-stage-{}">{}</span>', lead.stage, lead.get_stage_display())

    @admin.display(description=_("rep"), ordering="rep")
    def rep_or_queue(self, lead: Lead) -> str:
        return str(lead.rep) if lead.rep else str(_("in the queue"))

    @admin.display(description=_("opened"), ordering="opened_at")
    def opened(self, lead: Lead) -> str:
        return date_format(lead.opened_at, "j F Y, H:i")

    # Who may do what

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Lead | None = None) -> bool:
        return False

    def has_assign_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request) and request.user.has_perm("crm.assign_lead")

    def has_take_permission(self, request: HttpRequest) -> bool:
        is_rep = RepProfile.objects.filter(user_id=identify(request.user)).exists()
        return is_rep and self.has_change_permission(request)

    # Addresses

    def get_urls(self) -> list[URLPattern]:
        verbs = {
            "assign": self.assign_view,
            "take": self.take_view,
            "move": self.move_view,
            "note": self.note_view,
            "snooze": self.snooze_view,
        }
        own = [
            path(f"<int:lead_id>/{name}/", self.admin_site.admin_view(view), name=f"crm_lead_{name}")
            for name, view in verbs.items()
        ]
        export = path("export/", self.admin_site.admin_view(self.export_view), name="crm_lead_export")
        return [export, *self.list_trial_urls(), *own, *super().get_urls()]

    def list_trial_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("try-rules/", wrap(lambda request: trial_pages.ask_view(self, request)), name="crm_try_rules"),
            path(
                "try-rules/<uuid:key>/",
                wrap(lambda request, key: trial_pages.answer_view(self, request, key)),
                name="crm_trial",
            ),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        query = request.GET.urlencode()
        export_url = reverse("admin:crm_lead_export") + (f"?{query}" if query else "")
        return super().changelist_view(request, {"export_url": export_url, **(extra_context or {})})

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """The list as it is filtered, searched and sorted, all pages of it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            changelist = self.get_changelist_instance(request)
        except IncorrectLookupParameters:  # an address made by hand: the list shows it as an error, so show the list
            return HttpResponseRedirect(reverse("admin:crm_lead_changelist") + "?e=1")
        return export_leads(changelist.get_queryset(request), at=timezone.now())

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The lead page. A lead is changed by its verbs, never by a form over its fields."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        lead = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, lead):
            raise PermissionDenied
        may_change = self.has_change_permission(request, lead)
        is_open = lead.closed_at is None
        context = {
            **self.admin_site.each_context(request),
            "title": str(lead.account),
            "opts": self.opts,
            "lead": lead,
            "priority": draw_priority(lead),
            "page": build_page(lead, at=timezone.now()),
            "note_form": NoteForm() if may_change else None,
            "snooze_form": SnoozeForm() if may_change and is_open else None,
            "move_form": MoveForm(lead=lead) if may_change and is_open else None,
            "assign_form": AssignForm() if is_open and self.has_assign_permission(request) else None,
            "may_take": is_open and lead.rep_id is None and self.has_take_permission(request),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/crm/lead/lead.html", context)

    # Verbs

    def assign_view(self, request: HttpRequest, lead_id: int) -> HttpResponse:
        lead = self.find_changeable(request, lead_id)
        if request.method == "POST" and not self.has_assign_permission(request):
            raise PermissionDenied

        def assign(form: forms.Form) -> str:
            rep = form.cleaned_data["rep"]
            assign_lead(lead_id=lead.pk, rep_id=rep.pk, actor_id=identify(request.user), at=timezone.now())
            return _("Given to %(rep)s.") % {"rep": rep}

        return self.answer(request, lead, AssignForm(request.POST), assign)

    def take_view(self, request: HttpRequest, lead_id: int) -> HttpResponse:
        lead = self.find_changeable(request, lead_id)

        def take(_form: forms.Form) -> str:
            take_lead(lead_id=lead.pk, user_id=identify(request.user), at=timezone.now())
            return str(_("This lead is yours now."))

        return self.answer(request, lead, forms.Form(request.POST), take)

    def move_view(self, request: HttpRequest, lead_id: int) -> HttpResponse:
        lead = self.find_changeable(request, lead_id)

        def move(form: forms.Form) -> str:
            moved = move_lead(lead_id=lead.pk, actor_id=identify(request.user), at=timezone.now(), **form.cleaned_data)
            return _("This lead is %(stage)s now.") % {"stage": Stage(moved.stage).label}

        return self.answer(request, lead, MoveForm(request.POST, lead=lead), move)

    def note_view(self, request: HttpRequest, lead_id: int) -> HttpResponse:
        lead = self.find_changeable(request, lead_id)

        def write(form: forms.Form) -> str:
            add_note(lead_id=lead.pk, actor_id=identify(request.user), at=timezone.now(), **form.cleaned_data)
            return str(_("Note added."))

        return self.answer(request, lead, NoteForm(request.POST), write)

    def snooze_view(self, request: HttpRequest, lead_id: int) -> HttpResponse:
        lead = self.find_changeable(request, lead_id)

        def quiet(form: forms.Form) -> str:
            asked = form.cleaned_data
            snooze_lead(
                lead_id=lead.pk,
                until=asked["until"],
                until_level=asked["until_level"],
                reason=asked["why"],
                made_by=str(request.user),
                actor_id=identify(request.user),
                at=timezone.now(),
            )
            return str(_("Its alerts are silent now."))

        return self.answer(request, lead, SnoozeForm(request.POST), quiet)

    def find_changeable(self, request: HttpRequest, lead_id: int) -> Lead:
        lead = self.get_object(request, str(lead_id))
        if not self.has_change_permission(request, lead):
            raise PermissionDenied
        return lead

    def answer(
        self, request: HttpRequest, lead: Lead, form: forms.Form, verb: Callable[[forms.Form], str]
    ) -> HttpResponse:
        """Do it, say what happened, and show the lead again; say why when it was refused."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not form.is_valid():
            messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
        else:
            try:
                messages.success(request, verb(form))
            except CRMError as refusal:
                messages.error(request, str(refusal))
        return HttpResponseRedirect(reverse("admin:crm_lead_change", args=[lead.pk]))

    # Actions on many

    @admin.action(description=_("Assign to…"), permissions=["assign"])
    def assign_selected(self, request: HttpRequest, leads: QuerySet[Lead]) -> HttpResponse | None:
        form = AssignForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            return self.confirm(request, leads, form, _("Assign leads"), _("Assign"))
        rep = form.cleaned_data["rep"]

        def assign(lead: Lead) -> None:
            assign_lead(lead_id=lead.pk, rep_id=rep.pk, actor_id=identify(request.user), at=timezone.now())

        self.do_each(request, leads, assign)
        return None

    @admin.action(description=_("Take from the queue…"), permissions=["take"])
    def take_selected(self, request: HttpRequest, leads: QuerySet[Lead]) -> HttpResponse | None:
        if "confirmed" not in request.POST:
            return self.confirm(request, leads, None, _("Take leads"), _("Take"))

        def take(lead: Lead) -> None:
            take_lead(lead_id=lead.pk, user_id=identify(request.user), at=timezone.now())

        self.do_each(request, leads, take)
        return None

    def confirm(
        self, request: HttpRequest, leads: QuerySet[Lead], form: forms.Form | None, title: Words, verb: Words
    ) -> HttpResponse:
        """Ask once more, with the number and the names. Nothing visible selected: there is nothing to ask about."""
        count = leads.count()
        if count == 0:
            raise Http404(_("There is no such lead."))
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "form": form,
            "verb": verb,
            "count": count,
            "leads": leads.select_related("account")[:NAMED_ON_CONFIRMATION],
            "unnamed": max(count - NAMED_ON_CONFIRMATION, 0),
            "action": request.POST["action"],
            "checkbox_name": ACTION_CHECKBOX_NAME,
            "chosen": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "select_across": request.POST.get("select_across", "0"),
        }
        return TemplateResponse(request, "admin/crm/lead/confirm.html", context)

    def do_each(self, request: HttpRequest, leads: QuerySet[Lead], verb: Callable[[Lead], None]) -> None:
        """One transaction for each: a refusal stops only its own lead. Says how many were done, and why not all."""
        done, refusals = 0, dict[str, int]()
        for lead in list(leads.select_related("account")):
            try:
                verb(lead)
                done += 1
            except CRMError as refusal:
                refusals[str(refusal)] = refusals.get(str(refusal), 0) + 1
        if done == 0 and not refusals:
            raise Http404(_("There is no such lead."))
        if done:
            text = ngettext("%(count)s lead given.", "%(count)s leads given.", done)
            messages.success(request, text % {"count": done})
        for reason, count in refusals.items():
            text = ngettext("%(count)s lead left alone: %(reason)s", "%(count)s leads left alone: %(reason)s", count)
            messages.warning(request, text % {"count": count, "reason": reason})
