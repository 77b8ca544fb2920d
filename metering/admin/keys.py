"""API keys: issued here and shown once, revoked here. The digest is on no page."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from metering.admin.sending import show_figures
from metering.keys import SCOPES, InvalidKeyTerms, issue_key, revoke_key, rotate_key
from metering.models import ApiKey

if TYPE_CHECKING:
    KeyModelAdmin = admin.ModelAdmin[ApiKey]
    KeyModelForm = forms.ModelForm[ApiKey]
else:
    KeyModelAdmin = admin.ModelAdmin
    KeyModelForm = forms.ModelForm


# How long the old secret stays good, in hours: time to put the new one everywhere.
KEEP_HOURS = {"0": _("not at all"), "1": _("an hour"), "24": _("a day"), "168": _("a week")}


class KeyForm(KeyModelForm):
    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in SCOPES], widget=forms.CheckboxSelectMultiple, initial=["events:write"]
    )
    rate_per_second = forms.IntegerField(
        label=_("rate per second"),
        min_value=1,
        max_value=1_000_000,
        required=False,
        help_text=_("Events a second, on average; no rate when empty."),
    )

    class Meta:
        model = ApiKey
        fields = ["name", "account", "scopes", "rate_per_second", "expires_at"]

    def clean_expires_at(self) -> Any:
        expires_at = self.cleaned_data["expires_at"]
        if expires_at is not None and expires_at <= timezone.now():
            raise forms.ValidationError(gettext("This time has passed; a key must be good for a while."))
        return expires_at


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("active", _("active")), ("expired", _("expired")), ("revoked", _("revoked"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        at = timezone.now()
        if self.value() == "revoked":
            return queryset.filter(revoked_at__isnull=False)
        if self.value() == "expired":
            return queryset.filter(revoked_at=None, expires_at__lte=at)
        if self.value() == "active":
            return queryset.filter(revoked_at=None).exclude(expires_at__lte=at)
        return queryset


@admin.register(ApiKey)
class ApiKeyAdmin(KeyModelAdmin):
    form = KeyForm
    list_display = ["name", "prefix", "account", "scope_list", "state", "created_at", "expires_at", "revoked_at"]
    list_select_related = ["account"]
    autocomplete_fields = ["account"]
    list_filter = [StateFilter]
    list_per_page = 50
    ordering = ["-created_at"]
    search_fields = ["name", "prefix", "account__key"]
    search_help_text = _("Search in names, prefixes and keys of accounts")
    actions = ["rotate", "revoke"]

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[Any]:
        if obj is None:
            return ["name", "account", "scopes", "rate_per_second", "expires_at"]
        stated = ["state", "created_at", "expires_at", "revoked_at", "previous_expires_at", "sent"]
        return ["name", "prefix", "account", "scope_list", "rate_per_second", *stated]

    @admin.display(description=_("sent"))
    def sent(self, key: ApiKey) -> SafeString | str:
        return show_figures(key.pk, at=timezone.now())

    @admin.display(description=_("scopes"))
    def scope_list(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @admin.display(description=_("state"))
    def state(self, key: ApiKey) -> str:
        if key.revoked_at is not None:
            return gettext("revoked")
        is_over = key.expires_at is not None and key.expires_at <= timezone.now()
        return gettext("expired") if is_over else gettext("active")

    @sensitive_variables("issued")
    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        issued = issue_key(
            name=obj.name,
            scopes=obj.scopes,
            at=timezone.now(),
            expires_at=obj.expires_at,
            account_id=obj.account_id,
            rate_per_second=obj.rate_per_second,
        )
        obj.pk, obj.prefix, obj.secret = issued.id, issued.prefix, issued.secret
        obj._state.adding = False

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return self.show_secret(request, obj, obj.secret, title=gettext("API key issued"))

    @sensitive_variables("secret")
    def show_secret(self, request: HttpRequest, key: ApiKey, secret: str, *, title: str) -> HttpResponse:
        """The one page that shows the key. The admin lets no cache keep a page; a reload asks for another key."""
        context = self.admin_site.each_context(request) | {
            "title": title,
            "opts": self.opts,
            "key": key,
            "secret": secret,
            "old_until": key.previous_expires_at,
        }
        return TemplateResponse(request, "admin/metering/apikey/issued.html", context)

    @sensitive_variables("issued")
    @admin.action(description=_("Give the selected key a new secret"), permissions=["revoke"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        keys = list(queryset[:2])
        if len(keys) != 1:
            self.message_user(request, gettext("Select one key: its secret is shown once."), messages.WARNING)
            return None
        [key] = keys
        if request.POST.get("keep_hours") not in KEEP_HOURS:
            context = self.admin_site.each_context(request) | {
                "title": _("New secret for an API key?"),
                "opts": self.opts,
                "key": key,
                "choices": KEEP_HOURS.items(),
                "action": "rotate",
                "chosen": [key.pk],
                "checkbox_name": ACTION_CHECKBOX_NAME,
            }
            return TemplateResponse(request, "admin/metering/apikey/rotate_confirmation.html", context)
        at = timezone.now()
        try:
            issued = rotate_key(key.pk, at=at, old_until=at + timedelta(hours=int(request.POST["keep_hours"])))
        except InvalidKeyTerms:
            self.message_user(request, gettext("This key opens nothing any more; issue another."), messages.ERROR)
            return None
        key.refresh_from_db()
        self.log_change(request, key, gettext("Given a new secret."))
        return self.show_secret(request, key, issued.secret, title=gettext("New secret"))

    @admin.action(description=_("Revoke selected keys"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        keys = list(queryset.filter(revoked_at=None).order_by("name"))
        if not keys:
            self.message_user(request, gettext("Every selected key was revoked before."), messages.WARNING)
            return None
        if "confirmed" not in request.POST:
            context = self.admin_site.each_context(request) | {
                "title": _("Revoke API keys?"),
                "opts": self.opts,
                "keys": keys,
                "action": "revoke",
                "chosen": [key.pk for key in keys],
                "checkbox_name": ACTION_CHECKBOX_NAME,
            }
            return TemplateResponse(request, "admin/metering/apikey/revoke_confirmation.html", context)
        for key in keys:
            revoke_key(key.pk, at=timezone.now())
            self.log_change(request, key, gettext("Revoked."))
        done = ngettext("%(count)d key opens nothing any more.", "%(count)d keys open nothing any more.", len(keys))
        self.message_user(request, done % {"count": len(keys)}, messages.SUCCESS)
        return None

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return super().has_change_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False
