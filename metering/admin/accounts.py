"""Accounts and their aliases. Both are made through the accounts' door, so that waiting events are counted at once."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import Model, Prefetch, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from metering.accounts import add_alias, create_account
from metering.models import Account, Alias

if TYPE_CHECKING:
    AccountModelAdmin = admin.ModelAdmin[Account]
    AliasTabularInline = admin.TabularInline[Alias, Account]
    AccountModelForm = forms.ModelForm[Account]
else:
    AccountModelAdmin = admin.ModelAdmin
    AliasTabularInline = admin.TabularInline
    AccountModelForm = forms.ModelForm


class AccountForm(AccountModelForm):
    def clean_key(self) -> str:
        key: str = self.cleaned_data["key"]
        taken = Alias.objects.filter(name=key).select_related("account").first() if self.instance.pk is None else None
        if taken is not None:
            raise forms.ValidationError(gettext("%(account)s goes by this name already.") % {"account": taken.account})
        return key


class AliasInline(AliasTabularInline):
    """Names once given stay: events have been counted by them."""

    model = Alias
    extra = 1
    can_delete = False
    verbose_name = _("name in events")
    verbose_name_plural = _("names in events (the key is one of them)")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Account)
class AccountAdmin(AccountModelAdmin):
    form = AccountForm
    list_display = ["key", "name", "other_names", "created_at"]
    list_per_page = 50
    show_full_result_count = False
    ordering = ["key"]
    date_hierarchy = "created_at"
    search_fields = ["key", "name", "aliases__name"]
    search_help_text = _("Search in keys, names and aliases")
    fields = ["key", "name", "created_at"]
    inlines = [AliasInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        return super().get_queryset(request).prefetch_related(Prefetch("aliases", Alias.objects.order_by("name")))

    @admin.display(description=_("aliases"))
    def other_names(self, account: Account) -> str:
        return ", ".join(alias.name for alias in account.aliases.all() if alias.name != account.key)

    def get_readonly_fields(self, request: HttpRequest, obj: Account | None = None) -> list[str]:
        return ["created_at"] if obj is None else ["key", "created_at"]

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: bool) -> None:
        if change:
            obj.save(update_fields=["name"])
            return
        at = timezone.now()
        obj.pk = create_account(key=obj.key, name=obj.name, at=at).id
        obj.created_at = at
        obj._state.adding = False

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        aliases: list[Model] = formset.save(commit=False)
        for alias in aliases:
            add_alias(account_id=formset.instance.pk, name=str(alias.pk), at=timezone.now())

    def has_delete_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:
        return False
