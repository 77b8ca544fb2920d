"""Plans and their versions. A draft is edited here and published after a question; from then on it is only read."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Count, Max, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from billing.admin.pages import ask_first
from billing.admin.price_forms import PriceForm
from billing.admin.price_imports import import_view, may_import
from billing.admin.prices import DraftRows, WhileDraft, explain_stored_charging, explain_stored_price, is_draft
from billing.admin.reading import ReadOnly, list_sentences
from billing.admin.subscriber_move_pages import SubscriberMovePages
from billing.admin.version_history import HistoryPages
from billing.admin.version_offers import OfferPages
from billing.admin.whatif import WhatIfPages
from billing.models import AddOn, Plan, PlanLimit, PlanVersion, Price
from billing.plans import InvalidPlan, copy_last_version, publish_version, retire_version
from billing.rating import InvalidPrice
from billing.wording import display_amount
from metering.quantities import format_exact

if TYPE_CHECKING:
    PlanModelAdmin = admin.ModelAdmin[Plan]
    VersionModelAdmin = admin.ModelAdmin[PlanVersion]
    VersionTabularInline = admin.TabularInline[PlanVersion, Plan]
    PriceTabularInline = admin.TabularInline[Price, PlanVersion]
    LimitTabularInline = admin.TabularInline[PlanLimit, PlanVersion]
    AddOnTabularInline = admin.TabularInline[AddOn, PlanVersion]
else:
    PlanModelAdmin = VersionModelAdmin = admin.ModelAdmin
    VersionTabularInline = PriceTabularInline = LimitTabularInline = AddOnTabularInline = admin.TabularInline

SUBSCRIBERS = Count("subscriptions", filter=Q(subscriptions__state="active"), distinct=True)


class StatusFilter(admin.SimpleListFilter):
    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("draft", _("draft")), ("published", _("published"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[PlanVersion]) -> QuerySet[PlanVersion]:
        return queryset.filter(published_at__isnull=self.value() == "draft") if self.value() else queryset


class VersionInline(ReadOnly, VersionTabularInline):
    model = PlanVersion
    readonly_fields = ["link", "currency", "published_at", "offered_from", "retired_at", "subscribers"]
    fields = [*readonly_fields]
    ordering = ["-number"]
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlanVersion]:
        return super().get_queryset(request).select_related("plan").annotate(subscriber_count=SUBSCRIBERS)

    @admin.display(description=_("version"))
    def link(self, version: PlanVersion) -> SafeString:
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:billing_planversion_change", args=[version.pk]), version
        )

    @admin.display(description=_("subscribers"))
    def subscribers(self, version: PlanVersion) -> int:
        return version.subscriber_count  # type: ignore[attr-defined, no-any-return]


@admin.register(Plan)
class PlanAdmin(PlanModelAdmin):
    list_display = ["name", "slug", "rank", "current_version", "drafts", "subscribers"]
    ordering = ["rank"]
    search_fields = ["name", "slug"]
    search_help_text = _("Search in names and slugs")
    prepopulated_fields = {"slug": ["name"]}
    inlines = [VersionInline]
    actions = ["draft_next_version"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Plan]:
        published = Q(versions__published_at__isnull=False)
        active = Q(versions__subscriptions__state="active")
        return (
            super()
            .get_queryset(request)
            .annotate(
                published_number=Max("versions__number", filter=published),
                draft_count=Count("versions", filter=Q(versions__published_at__isnull=True), distinct=True),
                subscriber_count=Count("versions__subscriptions", filter=active, distinct=True),
            )
        )

    def get_prepopulated_fields(self, request: HttpRequest, obj: Plan | None = None) -> dict[str, Any]:
        return {} if obj else {"slug": ["name"]}

    def get_readonly_fields(self, request: HttpRequest, obj: Plan | None = None) -> list[str]:
        return ["slug"] if obj else []  # commands and links name a plan by it

    def has_draft_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.add_planversion")

    @admin.display(description=_("on offer"), ordering="published_number")
    def current_version(self, plan: Plan) -> str:
        number = plan.published_number  # type: ignore[attr-defined]
        return gettext("version %(number)d") % {"number": number} if number else "–"

    @admin.display(description=_("drafts"), ordering="draft_count")
    def drafts(self, plan: Plan) -> int:
        return plan.draft_count  # type: ignore[attr-defined, no-any-return]

    @admin.display(description=_("subscribers"), ordering="subscriber_count")
    def subscribers(self, plan: Plan) -> int:
        return plan.subscriber_count  # type: ignore[attr-defined, no-any-return]

    @admin.action(description=_("Draft the next version, copied from the last"), permissions=["draft"])
    def draft_next_version(self, request: HttpRequest, queryset: QuerySet[Plan]) -> None:
        for plan in queryset:
            try:
                version = PlanVersion.objects.get(pk=copy_last_version(plan.pk))
            except PlanVersion.DoesNotExist:
                text = gettext("%(plan)s has no version yet; add the first one under plan versions.")
                self.message_user(request, text % {"plan": plan}, messages.WARNING)
            except InvalidPrice as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                link = reverse("admin:billing_planversion_change", args=[version.pk])
                text = gettext("%(version)s is a draft; change what you want, then publish it.")
                message = format_html('<a href="{}">{}</a>', link, text % {"version": version})
                self.message_user(request, message, messages.SUCCESS)


class PriceInline(DraftRows, PriceTabularInline):
    model = Price
    form = PriceForm
    fields = [
        "position",
        "description",
        "model",
        "meter",
        "unit_amount",
        "per_seat",
        "included_units",
        "package_size",
        "rate_percent",
        "dimensions",
    ]
    extra = 0
    show_change_link = True  # to its tiers, and to all that it can be

    def get_queryset(self, request: HttpRequest) -> QuerySet[Price]:
        return super().get_queryset(request).select_related("meter", "version__plan")


class LimitInline(DraftRows, LimitTabularInline):
    model = PlanLimit
    fields = ["meter", "quantity", "is_hard"]
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlanLimit]:
        return super().get_queryset(request).select_related("meter")


class AddOnInline(DraftRows, AddOnTabularInline):
    model = AddOn
    fields = ["position", "key", "description", "unit_amount", "max_quantity"]
    extra = 0


def tell_price(price: Price, currency: str) -> list[str]:
    """As a customer reads it; and of usage by whom it is charged where that is through Stripe."""
    charging = [explain_stored_charging(price, currency)] if price.meter_id else []
    return [*explain_stored_price(price, currency), *charging]


@admin.register(PlanVersion)
class PlanVersionAdmin(WhatIfPages, SubscriberMovePages, HistoryPages, OfferPages, WhileDraft, VersionModelAdmin):
    list_display = ["__str__", "currency", "interval", "status", "offered_from", "retired_at", "subscribers"]
    list_filter = [StatusFilter, "interval", "plan"]
    list_select_related = ["plan"]
    date_hierarchy = "published_at"
    ordering = ["plan__rank", "-number"]
    search_fields = ["plan__name", "plan__slug"]
    search_help_text = _("Search in plans")
    inlines = [PriceInline, LimitInline, AddOnInline]
    readonly_fields = ["number", "published_at", "offered_from", "retired_at", "status", "in_words"]
    actions = ["publish", "retire"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlanVersion]:
        return super().get_queryset(request).select_related("plan").annotate(subscriber_count=SUBSCRIBERS)

    def get_inlines(self, request: HttpRequest, obj: PlanVersion | None) -> list[Any]:
        """What is published is read in words; tables are for editing."""
        return self.inlines if is_draft(obj) else []

    def get_fields(self, request: HttpRequest, obj: PlanVersion | None = None) -> Any:
        terms = [
            "interval",
            "anchoring",
            "proration",
            "trial_days",
            "grace_hours",
            "commitment_minor",
            "included_credit_minor",
        ]
        terms += ["late_usage", "late_waive_under_minor", "thresholds_minor", "threshold_step_minor"]
        if obj is None:
            return ["plan", "currency", *terms]
        told = ["status", "published_at", "offered_from", "retired_at", "in_words"]
        return ["plan", "number", "currency", *terms, *told]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.import_view)
        return [path("import/", view, name="billing_planversion_import"), *super().get_urls()]

    def import_view(self, request: HttpRequest) -> HttpResponse:
        return import_view(request, self.admin_site.each_context(request) | {"opts": self.opts})

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, (extra_context or {}) | {"may_import": may_import(request)})

    def get_readonly_fields(self, request: HttpRequest, obj: PlanVersion | None = None) -> list[str]:
        return [*self.readonly_fields, "plan"] if obj else self.readonly_fields

    def has_publish_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_planversion")

    def save_model(self, request: HttpRequest, obj: PlanVersion, form: Any, change: bool) -> None:
        if not change:
            Plan.objects.select_for_update().get(pk=obj.plan_id)
            last = PlanVersion.objects.filter(plan_id=obj.plan_id).aggregate(last=Max("number"))["last"]
            obj.number = (last or 0) + 1
        super().save_model(request, obj, form, change)

    @admin.display(description=_("status"))
    def status(self, version: PlanVersion) -> str:
        if version.published_at is None or version.offered_from is None:
            return gettext("draft")
        if version.retired_at is not None:
            return gettext("retired")
        return gettext("scheduled") if version.offered_from > timezone.now() else gettext("published")

    @admin.display(description=_("subscribers"), ordering="subscriber_count")
    def subscribers(self, version: PlanVersion) -> int:
        return version.subscriber_count  # type: ignore[attr-defined, no-any-return]

    @admin.display(description=_("in words"))
    def in_words(self, version: PlanVersion) -> SafeString | str:
        """Each price, then each limit, as a customer would read them, and how a price is charged through Stripe."""
        prices = version.prices.select_related("meter").prefetch_related("tiers", "rows")
        rows = [(price.description, list_sentences(tell_price(price, version.currency))) for price in prices]
        for limit in version.limits.select_related("meter").order_by("meter__key"):
            amount = format_exact(limit.quantity, limit.meter.unit)
            text = gettext("%(amount)s a period, then refused") if limit.is_hard else gettext("%(amount)s a period")
            title = gettext("Limit on %(meter)s") % {"meter": limit.meter.name}
            rows.append((title, list_sentences([text % {"amount": amount}])))
        for add_on in version.add_ons.all():
            amount = display_amount(add_on.unit_amount, version.currency)
            rows.append((add_on.description, list_sentences([gettext("%(amount)s each period") % {"amount": amount}])))
        return format_html("<dl>{}</dl>", format_html_join("", "<dt>{}</dt><dd>{}</dd>", rows)) if rows else "–"

    @admin.action(description=_("Publish drafts"), permissions=["publish"])
    def publish(self, request: HttpRequest, queryset: QuerySet[PlanVersion]) -> TemplateResponse | None:
        """Ask first, saying which of the chosen versions are drafts; the others are left alone."""
        drafts = list(queryset.filter(published_at__isnull=True).order_by("plan__rank", "number"))
        if not drafts:
            self.message_user(request, _("None of the chosen versions is a draft."), messages.WARNING)
            return None
        if "confirmed" not in request.POST:
            return self.confirm_publication(request, drafts)
        try:
            with transaction.atomic():
                for draft in drafts:
                    publish_version(draft.pk, at=timezone.now())
                    self.log_change(request, draft, gettext("Published."))
        except InvalidPlan as error:
            self.message_user(request, str(error), messages.ERROR)
            return None
        text = ngettext("%(count)d version is on offer.", "%(count)d versions are on offer.", len(drafts))
        self.message_user(request, text % {"count": len(drafts)}, messages.SUCCESS)
        return None

    @admin.action(description=_("Retire: offer to nobody else"), permissions=["publish"])
    def retire(self, request: HttpRequest, queryset: QuerySet[PlanVersion]) -> TemplateResponse | None:
        """Ask first, saying how many stay on each."""
        versions = list(
            queryset.filter(published_at__isnull=False, retired_at__isnull=True).order_by("plan__rank", "number")
        )
        if not versions:
            self.message_user(request, _("None of the chosen versions is on offer."), messages.WARNING)
            return None
        if "confirmed" not in request.POST:
            return ask_first(
                self,
                request,
                [(each, each.currency, self.count_subscribers(each)) for each in versions],
                action="retire",
                question=_("Nobody else can subscribe to these. They never come back; their subscribers stay:"),
                title=_("Retire versions?"),
                verb=_("Retire"),
            )
        for each in versions:
            retire_version(each.pk, at=timezone.now())
            self.log_change(request, each, gettext("Retired."))
        text = ngettext("%(count)d version is retired.", "%(count)d versions are retired.", len(versions))
        self.message_user(request, text % {"count": len(versions)}, messages.SUCCESS)
        return None

    def count_subscribers(self, version: PlanVersion) -> str:
        count = self.subscribers(version)
        return ngettext("%(count)d subscriber", "%(count)d subscribers", count) % {"count": count}

    def confirm_publication(self, request: HttpRequest, drafts: list[PlanVersion]) -> TemplateResponse:
        return ask_first(
            self,
            request,
            [(draft, draft.plan, draft.currency) for draft in drafts],
            action="publish",
            question="",
            title=_("Publish drafts"),
            template="admin/billing/planversion/publish_confirmation.html",
            drafts=[(draft, self.in_words(draft)) for draft in drafts],
        )
