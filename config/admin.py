from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from config.today import list_figures


class PalierAdminSite(AdminSite):
    """The back-office. Staff log in where everybody does, so that one set of limits and checks guards both doors."""

    site_title = _("Palier back-office")
    site_header = _("Palier back-office")
    index_title = _("Today")
    enable_nav_sidebar = False  # lists need the width; every page leads back to Today

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Send staff where they wanted to go and strangers to the log-in page; tell anyone else this is not theirs."""
        wanted = self.find_next_page(request)
        if self.has_permission(request):
            return HttpResponseRedirect(wanted)
        if request.user.is_authenticated:
            return self.refuse_entry(request)
        return redirect_to_login(wanted, reverse(settings.LOGIN_URL))

    def find_next_page(self, request: HttpRequest) -> str:
        """The page of this host that was asked for, or the first page of the back-office."""
        wanted = request.GET.get(REDIRECT_FIELD_NAME, "")
        is_ours = url_has_allowed_host_and_scheme(
            wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
        )
        return wanted if is_ours else reverse("admin:index", current_app=self.name)

    def refuse_entry(self, request: HttpRequest) -> HttpResponse:
        context = self.each_context(request) | {"title": _("This part is for our own staff")}
        return TemplateResponse(request, "admin/no_entry.html", context, status=403)

    def password_change(  # type: ignore[override]  # a redirect, where Django renders a page
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Passwords are changed where everybody changes theirs."""
        return HttpResponseRedirect(reverse("account_change_password"))

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Metering lists its events and the quality of its forecasts too, and billing how things stand with Stripe.

        They have pages of their own.
        """
        listed: list[Any] = super().get_app_list(request, app_label)
        for app in listed:
            if app["app_label"] == "metering" and request.user.has_perm("metering.view_event"):
                entry = {"name": _("Events"), "object_name": "Event", "admin_url": reverse("staff:events")}
                entry |= {"view_only": True, "add_url": None, "perms": {"view": True}}
                app["models"] = sorted([*app["models"], entry], key=lambda model: str(model["name"]).lower())
            if app["app_label"] == "metering" and request.user.has_perm("metering.view_alert"):
                entry = {
                    "name": _("Forecast quality"),
                    "object_name": "ForecastQuality",
                    "admin_url": reverse("admin:metering_forecast_quality"),
                }
                entry |= {"view_only": True, "add_url": None, "perms": {"view": True}}
                app["models"] = sorted([*app["models"], entry], key=lambda model: str(model["name"]).lower())
            if app["app_label"] == "crm" and request.user.has_perms(["crm.view_all_leads", "metering.view_alert"]):
                entry = {
                    "name": _("Try rules on history"),
                    "object_name": "Trial",
                    "admin_url": reverse("admin:crm_try_rules"),
                }
                entry |= {"view_only": True, "add_url": None, "perms": {"view": True}}
                app["models"] = sorted([*app["models"], entry], key=lambda model: str(model["name"]).lower())
            if app["app_label"] == "billing" and request.user.has_perm("billing.view_stripedrift"):
                entry = {
                    "name": _("Stripe"),
                    "object_name": "Stripe",
                    "admin_url": reverse("admin:billing_stripe_overview"),
                }
                entry |= {"view_only": True, "add_url": None, "perms": {"view": True}}
                app["models"] = sorted([*app["models"], entry], key=lambda model: str(model["name"]).lower())
        return listed

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        figures = list_figures(self, request, at=timezone.now())
        return super().index(request, {"figures": figures, **(extra_context or {})})
