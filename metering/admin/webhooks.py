"""Webhook endpoints: made here with a secret that is shown once, tested and given a new one here."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from jobs.webhooks import UnsafeAddress, check_url
from metering.admin.keys import KEEP_HOURS
from metering.models import Occasion, WebhookEndpoint
from metering.notices.endpoints import create_endpoint, rotate_secret
from metering.notices.testing import fire_test

if TYPE_CHECKING:
    EndpointModelAdmin = admin.ModelAdmin[WebhookEndpoint]
    EndpointModelForm = forms.ModelForm[WebhookEndpoint]
else:
    EndpointModelAdmin = admin.ModelAdmin
    EndpointModelForm = forms.ModelForm

# A test is fired by hand, whatever the endpoint is told of.
OCCASIONS = [(value, label) for value, label in Occasion.choices if value != Occasion.TEST]


class EndpointForm(EndpointModelForm):
    url = forms.CharField(label=_("address"), max_length=500, help_text=_("https://…"))
    occasions = forms.MultipleChoiceField(
        label=_("told of"),
        choices=OCCASIONS,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_("Everything when empty."),
    )

    class Meta:
        model = WebhookEndpoint
        fields = ["name", "url", "occasions", "is_enabled"]

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        try:
            check_url(url)
        except UnsafeAddress as refusal:
            text = gettext("Nothing can be sent there: it must be https, without a password.")
            raise ValidationError(text) from refusal
        return url


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(EndpointModelAdmin):
    form = EndpointForm
    list_display = ["name", "url", "is_enabled", "created_at", "previous_until"]
    list_filter = ["is_enabled"]
    list_per_page = 50
    ordering = ["name"]
    search_fields = ["name", "url"]
    actions = ["fire_test", "rotate"]

    def get_readonly_fields(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> list[str]:
        return [] if obj is None else ["created_at", "previous_until"]

    def get_fields(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> list[Any]:
        return ["name", "url", "occasions", "is_enabled", *([] if obj is None else ["created_at", "previous_until"])]

    @sensitive_variables("made")
    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            obj.save(update_fields=["name", "url", "occasions", "is_enabled"])
            return
        made = create_endpoint(
            name=obj.name, url=obj.url, occasions=obj.occasions, is_enabled=obj.is_enabled, at=timezone.now()
        )
        obj.pk, obj.shown_secret = made.id, made.secret
        obj._state.adding = False

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return self.show_secret(request, obj, obj.shown_secret, title=gettext("Webhook endpoint made"))

    @sensitive_variables("secret")
    def show_secret(self, request: HttpRequest, endpoint: WebhookEndpoint, secret: str, *, title: str) -> HttpResponse:
        """The one page that shows it. The admin lets no cache keep a page."""
        context = self.admin_site.each_context(request) | {
            "title": title,
            "opts": self.opts,
            "endpoint": endpoint,
            "secret": secret,
            "old_until": endpoint.previous_until,
        }
        return TemplateResponse(request, "admin/metering/webhookendpoint/secret.html", context)

    def has_edit_permission(self, request: HttpRequest) -> bool:
        return super().has_change_permission(request)

    @admin.action(description=_("Fire a test"), permissions=["edit"])
    def fire_test(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        for endpoint in queryset.order_by("pk"):
            if not endpoint.is_enabled:
                self.message_user(
                    request, gettext("%(endpoint)s is switched off.") % {"endpoint": endpoint}, messages.WARNING
                )
                continue
            fire_test(endpoint.pk, at=timezone.now())
            self.log_change(request, endpoint, gettext("Tested."))
            text = gettext("A test is on its way to %(endpoint)s; the log of deliveries tells what it answered.")
            self.message_user(request, text % {"endpoint": endpoint}, messages.SUCCESS)

    @sensitive_variables("made")
    @admin.action(description=_("Give the selected endpoint a new secret"), permissions=["edit"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> HttpResponse | None:
        endpoints = list(queryset[:2])
        if len(endpoints) != 1:
            self.message_user(request, gettext("Select one endpoint: its secret is shown once."), messages.WARNING)
            return None
        [endpoint] = endpoints
        if request.POST.get("keep_hours") not in KEEP_HOURS:
            context = self.admin_site.each_context(request) | {
                "title": _("New secret for a webhook endpoint?"),
                "opts": self.opts,
                "endpoint": endpoint,
                "choices": KEEP_HOURS.items(),
                "action": "rotate",
                "chosen": [endpoint.pk],
                "checkbox_name": ACTION_CHECKBOX_NAME,
            }
            return TemplateResponse(request, "admin/metering/webhookendpoint/rotate_confirmation.html", context)
        at = timezone.now()
        made = rotate_secret(endpoint.pk, at=at, old_until=at + timedelta(hours=int(request.POST["keep_hours"])))
        endpoint.refresh_from_db()
        self.log_change(request, endpoint, gettext("Given a new secret."))
        return self.show_secret(request, endpoint, made.secret, title=gettext("New secret"))

    def has_delete_permission(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> bool:
        """Switched off instead: the log names it."""
        return False
