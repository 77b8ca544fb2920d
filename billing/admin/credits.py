"""Credit in the back-office: wallets, grants and top-ups. It is given and taken back by verbs that ask first."""

from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from billing.admin.credit_forms import GrantForm, RuleForm
from billing.admin.pages import Question, ask_first, fill_form, render_page
from billing.admin.reading import ReadOnly
from billing.credits.grants import InvalidCredit, grant_credit, list_grants, void_grant
from billing.credits.ledger import list_currencies, list_entries, read_wallet
from billing.models import CreditEntry, CreditGrant, CreditKind, CreditSource, TopUp, TopUpRule
from billing.models.credits import INTERVALS
from billing.profiles import UnknownProfile
from billing.wording import display_money
from metering.accounts import read_accounts

if TYPE_CHECKING:
    GrantModelAdmin = admin.ModelAdmin[CreditGrant]
    TopUpModelAdmin = admin.ModelAdmin[TopUp]
    RuleModelAdmin = admin.ModelAdmin[TopUpRule]
    EntryTabularInline = admin.TabularInline[CreditEntry, CreditGrant]
else:
    GrantModelAdmin = TopUpModelAdmin = RuleModelAdmin = admin.ModelAdmin
    EntryTabularInline = admin.TabularInline

ENTRIES_SHOWN = 100


class EntryInline(ReadOnly, EntryTabularInline):
    model = CreditEntry
    readonly_fields = ["made_at", "kind", "amount", "key", "line", "invoice", "made_by"]
    fields = [*readonly_fields]
    ordering = ["pk"]
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[CreditEntry]:
        return super().get_queryset(request).select_related("grant", "invoice", "made_by")

    @admin.display(description=_("amount"))
    def amount(self, entry: CreditEntry) -> str:
        return display_money(entry.amount_minor, entry.grant.currency)


@admin.register(CreditGrant)
class CreditGrantAdmin(GrantModelAdmin):
    list_display = [
        "__str__", "wallet", "amount", "balance", "priority", "effective_at", "expires_at", "voided_at",
    ]  # fmt: skip
    list_filter = ["source", "currency", ("voided_at", admin.EmptyFieldListFilter)]
    list_select_related = ["account"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "effective_at"
    ordering = ["-effective_at", "-pk"]
    search_fields = ["account__key", "account__name", "note"]
    search_help_text = _("Search in accounts and notes")
    inlines = [EntryInline]
    readonly_fields = ["wallet", "amount", "balance", "pays_for", "rolls_over"]
    fields = [
        "wallet", "source", "amount", "balance", "priority", "pays_for", "effective_at", "expires_at", "interval",
        "rolls_over", "recurs_until", "voided_at", "note", "made_at", "made_by",
    ]  # fmt: skip
    actions = ["void"]

    # What it shows

    @admin.display(description=_("wallet"), ordering="account__key")
    def wallet(self, grant: CreditGrant) -> SafeString:
        link = reverse("admin:billing_wallet", args=[grant.account_id])
        return format_html('<a href="{}">{}</a>', link, grant.account)

    @admin.display(description=_("amount"), ordering="amount_minor")
    def amount(self, grant: CreditGrant) -> str:
        return display_money(grant.amount_minor, grant.currency)

    @admin.display(description=_("left"), ordering="balance_minor")
    def balance(self, grant: CreditGrant) -> str:
        return display_money(grant.balance_minor, grant.currency)

    @admin.display(description=_("pays for"))
    def pays_for(self, grant: CreditGrant) -> str:
        return ", ".join(grant.scope) or gettext("anything")

    @admin.display(description=_("rolls over"))
    def rolls_over(self, grant: CreditGrant) -> str:
        if not grant.rollover_max_minor:
            return gettext("nothing")
        least, most = (
            display_money(minor, grant.currency) for minor in (grant.rollover_min_minor, grant.rollover_max_minor)
        )
        return gettext("at least %(least)s, at most %(most)s") % {"least": least, "most": most}

    # Who may do what

    def has_change_permission(self, request: HttpRequest, obj: CreditGrant | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: CreditGrant | None = None) -> bool:
        return False

    def has_void_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.void_creditgrant")

    # Pages

    def get_urls(self) -> list[URLPattern]:
        wallet = self.admin_site.admin_view(self.wallet_view)
        return [path("wallet/<int:account_id>/", wallet, name="billing_wallet"), *super().get_urls()]

    def wallet_view(self, request: HttpRequest, account_id: int) -> HttpResponse:
        """All the credit of one account: by currency what is settled and ongoing, then grants, then the ledger."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        account = read_accounts([account_id]).get(account_id)
        if account is None:
            raise Http404
        return render_page(
            self,
            request,
            "admin/billing/creditgrant/wallet.html",
            title=gettext("Credit of %(account)s") % {"account": account.name or account.key},
            account=account,
            wallets=[show_wallet(account_id, currency) for currency in list_currencies(account_id)],
            may_grant=self.has_add_permission(request),
            **list_rules(request, account_id),
        )

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The terms, then the question, then the grant. Sent twice it is one grant."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        initial = {"account": request.GET.get("account", ""), "once": uuid4()}
        form = GrantForm(request.POST) if request.method == "POST" else GrantForm(initial=initial)
        return fill_form(
            self,
            request,
            form,
            title=_("Grant credit"),
            ask=self.ask_to_grant,
            act=partial(self.grant, request),
            refusals=(InvalidCredit, UnknownProfile),
        )

    def ask_to_grant(self, form: GrantForm) -> Question:
        values = form.cleaned_data
        words = {
            "asked": display_money(values["amount_minor"], values["currency"]),
            "account": form.name_account(),
        }
        text = gettext("%(asked)s of credit is granted to %(account)s:") % words
        return Question(text, _("Grant it"), list(form.list_words()))

    def grant(self, request: HttpRequest, form: GrantForm) -> HttpResponse:
        made = grant_credit(**form.read_terms(), at=timezone.now(), by=request.user.pk)
        grant = CreditGrant.objects.get(pk=made.id)
        amount = display_money(made.amount_minor, made.currency)
        self.log_addition(request, grant, gettext("Granted %(amount)s.") % {"amount": amount})
        self.message_user(request, gettext("%(amount)s was granted.") % {"amount": amount}, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:billing_wallet", args=[made.account_id]))

    @admin.action(description=_("Void selected credit"), permissions=["void"])
    def void(self, request: HttpRequest, queryset: QuerySet[CreditGrant]) -> HttpResponse | None:
        grants = list(queryset.filter(voided_at=None).select_related("account").order_by("pk"))
        if not grants:
            self.message_user(request, _("All the selected credit was voided before."), messages.WARNING)
            return None
        if "confirmed" not in request.POST:
            rows = [(grant, grant.account, self.balance(grant)) for grant in grants]
            return self.confirm_void(request, rows)
        for grant in grants:
            void_grant(grant.pk, at=timezone.now(), by=request.user.pk)
            self.log_change(request, grant, gettext("Voided."))
        text = ngettext("%(count)d grant is void.", "%(count)d grants are void.", len(grants))
        self.message_user(request, text % {"count": len(grants)}, messages.SUCCESS)
        return None

    def confirm_void(self, request: HttpRequest, rows: list[Any]) -> HttpResponse:
        return ask_first(
            self,
            request,
            rows,
            action="void",
            question=ngettext(
                "What is left of %(count)d grant is taken back, and it comes back no more. Invoices keep what it paid.",
                "What is left of %(count)d grants is taken back, and they come back no more. "
                "Invoices keep what they paid.",
                len(rows),
            )
            % {"count": len(rows)},
            title=_("Void credit?"),
            verb=_("Void"),
        )


def show_wallet(account_id: int, currency: str) -> dict[str, Any]:
    """A wallet's amounts in words."""
    wallet = read_wallet(account_id=account_id, currency=currency, at=timezone.now())
    entries = list_entries(account_id=account_id, currency=currency, limit=ENTRIES_SHOWN)

    def show(minor: int) -> str:
        return display_money(minor, currency)

    grants = list_grants(account_id=account_id, currency=currency)
    # The newest entry comes first; after it the ledger held what it holds now, credit to come included.
    held_now = sum(grant.balance_minor for grant in grants)
    after = accumulate((-entry.amount_minor for entry in entries[:-1]), initial=held_now)
    return {
        "currency": currency,
        "settled": show(wallet.settled_minor),
        "drafts": show(wallet.drafts_minor),
        "unbilled": show(wallet.unbilled_minor),
        "ongoing": show(wallet.ongoing_minor),
        "grants": [
            {
                "fact": grant,
                "source": CreditSource(grant.source).label,
                "amount": show(grant.amount_minor),
                "left": show(grant.balance_minor),
                "pays_for": ", ".join(grant.scope) or gettext("anything"),
                "interval": dict(INTERVALS)[grant.interval.value] if grant.interval else "–",
            }
            for grant in grants
        ],
        "entries": [
            (entry, CreditKind(entry.kind).label, show(entry.amount_minor), show(held))
            for entry, held in zip(entries, after, strict=False)
        ],
    }


def list_rules(request: HttpRequest, account_id: int) -> dict[str, Any]:
    """The account's rules of top-ups and what waits for payment, to who may see them."""
    rules = TopUpRule.objects.filter(account_id=account_id).order_by("currency")
    waiting = TopUp.objects.filter(rule__account_id=account_id, grant=None, dropped_at=None).select_related("rule")
    may_view = request.user.has_perm("billing.view_topuprule")
    return {
        "rules": [
            (rule, display_money(rule.threshold_minor, rule.currency), display_money(rule.amount_minor, rule.currency))
            for rule in (rules if may_view else [])
        ],
        "waiting": [
            (asked, display_money(asked.amount_minor, asked.rule.currency))
            for asked in (waiting if request.user.has_perm("billing.view_topup") else [])
        ],
        "may_view_rules": may_view,
        "may_add_rule": request.user.has_perm("billing.add_topuprule"),
    }


@admin.register(TopUp)
class TopUpAdmin(ReadOnly, TopUpModelAdmin):
    """Top-ups that rules asked for. What is paid of the invoice of one is granted."""

    list_display = ["rule", "number", "amount", "asked_at", "state", "invoice"]
    list_filter = [("grant", admin.EmptyFieldListFilter), ("dropped_at", admin.EmptyFieldListFilter)]
    list_select_related = ["rule__account", "grant", "invoice"]
    list_per_page = 50
    ordering = ["-asked_at", "-pk"]
    search_fields = ["rule__account__key", "rule__account__name"]
    search_help_text = _("Search in accounts")
    readonly_fields = ["amount", "state"]
    fields = ["rule", "number", "amount", "asked_at", "state", "invoice", "grant"]

    @admin.display(description=_("amount"), ordering="amount_minor")
    def amount(self, asked: TopUp) -> str:
        return display_money(asked.amount_minor, asked.rule.currency)

    @admin.display(description=_("state"))
    def state(self, asked: TopUp) -> str:
        if asked.grant_id is not None:
            return gettext("paid")
        return gettext("given up") if asked.dropped_at else gettext("waits for payment")


@admin.register(TopUpRule)
class TopUpRuleAdmin(RuleModelAdmin):
    form = RuleForm
    list_display = ["account", "below", "asked", "is_active"]
    list_filter = ["is_active", "currency"]
    list_select_related = ["account"]
    list_per_page = 50
    ordering = ["account__key", "currency"]
    search_fields = ["account__key", "account__name"]
    search_help_text = _("Search in accounts")
    fields = ["account", "currency", "threshold", "amount", "is_active"]
    raw_id_fields = ["account"]

    @admin.display(description=_("below"), ordering="threshold_minor")
    def below(self, rule: TopUpRule) -> str:
        return display_money(rule.threshold_minor, rule.currency)

    @admin.display(description=_("amount"), ordering="amount_minor")
    def asked(self, rule: TopUpRule) -> str:
        return display_money(rule.amount_minor, rule.currency)

    def get_readonly_fields(self, request: HttpRequest, obj: TopUpRule | None = None) -> list[str]:
        return ["account", "currency"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: TopUpRule | None = None) -> bool:
        """Its top-ups name it; switch it off instead."""
        return False
