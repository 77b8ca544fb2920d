"""What is to be billed outside of prices: what waits; written, withdrawn or put on an invoice of its own by hand."""

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from billing.admin.item_forms import ItemForm
from billing.admin.pages import Question, ask_first, fill_form
from billing.admin.reading import ReadOnly
from billing.drafting import NothingToBill, draft_items
from billing.items import NotWaiting, add_item, withdraw_item
from billing.models import WAITS, InvoiceItem
from billing.profiles import UnknownProfile
from billing.wording import display_money, display_period
from metering.quantities import format_exact

if TYPE_CHECKING:
    ItemModelAdmin = admin.ModelAdmin[InvoiceItem]
else:
    ItemModelAdmin = admin.ModelAdmin


class StandingFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("waits", _("waits")), ("billed", _("on an invoice")), ("withdrawn", _("withdrawn"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[InvoiceItem]) -> QuerySet[InvoiceItem]:
        match self.value():
            case "waits":
                return queryset.filter(WAITS)
            case "billed":
                return queryset.filter(invoice_line__isnull=False)
            case "withdrawn":
                return queryset.filter(withdrawn_at__isnull=False)
        return queryset


@admin.register(InvoiceItem)
class InvoiceItemAdmin(ReadOnly, ItemModelAdmin):
    list_display = ["description", "account", "kind", "amount", "goes_on", "period_text", "standing", "made_at"]
    list_filter = [StandingFilter, "kind", "currency"]
    list_select_related = ["account", "subscription__version__plan", "subscription__account", "invoice_line__invoice"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "made_at"
    ordering = ["-pk"]
    search_fields = ["account__key", "account__name", "description", "key"]
    search_help_text = _("Search in accounts, descriptions and keys")
    readonly_fields = ["amount", "goes_on", "period_text", "standing", "how_many", "each"]
    fields = [
        "account", "description", "kind", "how_many", "each", "amount", "goes_on", "period_text", "standing", "key",
        "made_at", "made_by", "withdrawn_at", "withdrawn_by",
    ]  # fmt: skip
    actions = ["withdraw", "draft"]

    # What it shows

    @admin.display(description=_("amount"), ordering="amount_minor")
    def amount(self, item: InvoiceItem) -> str:
        return display_money(item.amount_minor, item.currency)

    @admin.display(description=_("quantity"))
    def how_many(self, item: InvoiceItem) -> str:
        return format_exact(item.quantity)

    @admin.display(description=_("price of one"))
    def each(self, item: InvoiceItem) -> str:
        return f"{format_exact(item.unit_amount)} {item.currency}"

    @admin.display(description=_("goes on"))
    def goes_on(self, item: InvoiceItem) -> SafeString | str:
        if item.subscription is None:
            return gettext("a one-off invoice")
        link = reverse("admin:billing_subscription_change", args=[item.subscription_id])
        return format_html('<a href="{}">{}</a>', link, item.subscription.version)

    @admin.display(description=_("for the time"), ordering="period_start")
    def period_text(self, item: InvoiceItem) -> str:
        if item.period_start is None or item.period_end is None:
            return "–"
        return display_period(item.period_start, item.period_end, "UTC")

    @admin.display(description=_("state"))
    def standing(self, item: InvoiceItem) -> SafeString | str:
        if item.invoice_line is not None:
            link = reverse("admin:billing_invoice_change", args=[item.invoice_line.invoice_id])
            invoice = item.invoice_line.invoice
            return format_html('<a href="{}">{}</a>', link, invoice.number or gettext("draft"))
        return gettext("withdrawn") if item.withdrawn_at else gettext("waits")

    # Who may do what

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("billing.add_invoiceitem")

    def has_withdraw_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.delete_invoiceitem")

    def has_draft_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.issue_invoice")

    # What can be done

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The amount and its cause, then the question, then the item. Its key is one item, however often it is sent."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        initial = {"account": request.GET.get("account", ""), "once": uuid4(), "quantity": 1}
        return fill_form(
            self,
            request,
            ItemForm(request.POST) if request.method == "POST" else ItemForm(initial=initial),
            title=_("Bill something"),
            ask=ask_to_add,
            act=partial(self.add, request),
            refusals=(UnknownProfile,),
        )

    def add(self, request: HttpRequest, form: ItemForm) -> HttpResponse:
        made = add_item(**form.read_terms(), at=timezone.now(), by=request.user.pk)
        item = InvoiceItem.objects.get(pk=made.id)
        words = {"item": item, "amount": display_money(made.amount_minor, made.currency)}
        self.log_addition(request, item, gettext("%(item)s: %(amount)s.") % words)
        text = gettext("%(item)s waits for its invoice: %(amount)s.") % words
        self.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:billing_invoiceitem_changelist") + "?standing=waits")

    @admin.action(description=_("Withdraw: let no invoice bill them"), permissions=["withdraw"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[InvoiceItem]) -> HttpResponse | None:
        items = list(queryset.filter(WAITS).select_related("account").order_by("pk"))
        if not items:
            self.message_user(request, _("None of the selected items waits."), messages.WARNING)
            return None
        if "confirmed" not in request.POST:
            rows = [(item, item.account, self.amount(item)) for item in items]
            question = _("No invoice will bill these, and they do not come back:")
            return ask_first(self, request, rows, action="withdraw", question=question, verb=_("Withdraw"))
        for item in items:
            try:
                withdraw_item(item.pk, at=timezone.now(), by=request.user.pk)
            except NotWaiting as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                self.log_change(request, item, gettext("Withdrawn."))
        return None

    @admin.action(description=_("Draft one-off invoices of what waits"), permissions=["draft"])
    def draft(self, request: HttpRequest, queryset: QuerySet[InvoiceItem]) -> HttpResponse | None:
        """All that waits of the same account, currency and subscription goes on one draft, which is then looked at."""
        items = list(queryset.filter(WAITS).select_related("account").order_by("pk"))
        if not items:
            self.message_user(request, _("None of the selected items waits."), messages.WARNING)
            return None
        if "confirmed" not in request.POST:
            together = {(item.account_id, item.currency, item.subscription_id) for item in items}
            waiting = [each for owner in sorted(together, key=str) for each in list_with(*owner)]
            rows = [(item, item.account, self.amount(item)) for item in waiting]
            question = ngettext(
                "All that waits with it goes on %(count)d draft, instead of on the next invoice:",
                "All that waits with them goes on %(count)d drafts, instead of on the next invoices:",
                len(together),
            )
            return ask_first(
                self,
                request,
                rows,
                action="draft",
                question=question % {"count": len(together)},
                verb=_("Draft"),
            )
        return self.make_drafts(request, items)

    def make_drafts(self, request: HttpRequest, items: list[InvoiceItem]) -> HttpResponse | None:
        drafts = []
        for account_id, currency, subscription_id in dict.fromkeys(
            (item.account_id, item.currency, item.subscription_id) for item in items
        ):
            try:
                draft = draft_items(
                    account_id=account_id, currency=currency, subscription_id=subscription_id, at=timezone.now()
                )
            except (NothingToBill, UnknownProfile) as error:
                self.message_user(request, str(error), messages.ERROR)
                continue
            drafts.append(draft.pk)
            self.log_change(request, items[0], gettext("Drafted."))
        text = ngettext("%(count)d draft was made.", "%(count)d drafts were made.", len(drafts))
        self.message_user(request, text % {"count": len(drafts)}, messages.SUCCESS)
        if len(drafts) == 1 and request.user.has_perm("billing.view_invoice"):
            return HttpResponseRedirect(reverse("admin:billing_invoice_change", args=drafts))
        return None


def list_with(account_id: int, currency: str, subscription_id: int | None) -> QuerySet[InvoiceItem]:
    """All that goes on one invoice."""
    owner = Q(subscription=None) if subscription_id is None else Q(subscription_id=subscription_id)
    waiting = InvoiceItem.objects.filter(WAITS, owner, account_id=account_id, currency=currency)
    return waiting.select_related("account").order_by("pk")


def ask_to_add(form: ItemForm) -> Question:
    values = form.cleaned_data
    words = {
        "amount": display_money(form.count_minor(), values["currency"]),
        "account": form.name_account(),
    }
    return Question(gettext("%(amount)s is billed to %(account)s:") % words, _("Bill it"), form.list_words())
