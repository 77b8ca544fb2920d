from django.urls import path
from django.views.i18n import set_language

from portal import views

app_name = "portal"

urlpatterns = [
    path("", views.home, name="home"),
    path("language/", set_language, name="set_language"),
    path("a/<str:account_key>/", views.dashboard, name="dashboard"),
    path("a/<str:account_key>/usage/<slug:meter_key>/", views.usage, name="usage"),
    path("a/<str:account_key>/invoices/", views.invoices, name="invoices"),
    path("a/<str:account_key>/invoices/<str:number>/", views.invoice, name="invoice"),
]
