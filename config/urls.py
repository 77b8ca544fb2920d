from django.contrib import admin
from django.urls import include, path

from config.health import healthz, readyz

handler400 = "config.errors.answer_bad_request"
handler403 = "config.errors.answer_forbidden"
handler404 = "config.errors.answer_not_found"
handler500 = "config.errors.answer_server_error"

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("accounts/", include("allauth.account.urls")),
    path("admin/events/", include("portal.staff_urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("metering.urls")),
    path("api/v1/", include("portal.rest.urls")),
    path("api/", include("metering.rest.documentation_urls")),
    path("stripe/", include("billing.stripe.urls")),
    path("", include("portal.urls")),
]
