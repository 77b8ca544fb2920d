from django.urls import path, register_converter
from django.urls.converters import StringConverter
from django.views.i18n import set_language

from portal import alert_views, budget_views, event_views, paper_views, payment_views, views


class NameConverter(StringConverter):
    """An account's key or an invoice's number: no slash, and no NUL, which PostgreSQL would refuse to compare with."""

    regex = r"[^/\x00]{1,120}"


register_converter(NameConverter, "name")

PDF, PAGE = {"as_pdf": True}, {"as_pdf": False}

app_name = "portal"

urlpatterns = [
    path("", views.home, name="home"),
    path("language/", set_language, name="set_language"),
    path("a/<name:account_key>/", views.dashboard, name="dashboard"),
    path("a/<name:account_key>/usage/<slug:meter_key>/", views.usage, name="usage"),
    path("a/<name:account_key>/plans/", views.plans, name="plans"),
    path("a/<name:account_key>/plans/<slug:plan_slug>/upgrade/", payment_views.upgrade, name="upgrade"),
    path("a/<name:account_key>/checkout/<uuid:token>/", payment_views.checkout, name="checkout"),
    path(
        "a/<name:account_key>/checkout/<uuid:token>/cancelled/",
        payment_views.checkout_cancelled,
        name="checkout_cancelled",
    ),
    path("a/<name:account_key>/payment-method/", payment_views.payment_method, name="payment_method"),
    path("a/<name:account_key>/payment-method/returned/", payment_views.payment_returned, name="payment_returned"),
    path("a/<name:account_key>/invoices/", views.invoices, name="invoices"),
    path("a/<name:account_key>/invoices/<name:number>/", views.invoice, name="invoice"),
    path("a/<name:account_key>/invoices/<name:number>/page/", paper_views.invoice, PAGE, name="invoice_page"),
    path("a/<name:account_key>/invoices/<name:number>/pdf/", paper_views.invoice, PDF, name="invoice_pdf"),
    path("a/<name:account_key>/invoices/<name:number>/evidence/", paper_views.evidence, name="invoice_evidence"),
    path("a/<name:account_key>/credit-notes/<name:note_number>/", paper_views.credit_note, PAGE, name="note_page"),
    path("a/<name:account_key>/credit-notes/<name:note_number>/pdf/", paper_views.credit_note, PDF, name="note_pdf"),
    path("a/<name:account_key>/statement/", paper_views.statement, PAGE, name="statement_page"),
    path("a/<name:account_key>/statement/pdf/", paper_views.statement, PDF, name="statement_pdf"),
    path("a/<name:account_key>/budgets/", budget_views.budgets, name="budgets"),
    path("a/<name:account_key>/budgets/<int:budget_id>/remove/", budget_views.remove, name="budget_remove"),
    path("a/<name:account_key>/budgets/<int:budget_id>/restore/", budget_views.restore, name="budget_restore"),
    path("a/<name:account_key>/alerts/", alert_views.alerts, name="alerts"),
    path("a/<name:account_key>/alerts/mail/", alert_views.alert_mail, name="alert_mail"),
    path("a/<name:account_key>/alerts/test/", alert_views.alert_test, name="alert_test"),
    path("alerts/no-more/<str:token>/", alert_views.unsubscribe, name="unsubscribe"),
    path("a/<name:account_key>/events/", event_views.events, name="events"),
    path("a/<name:account_key>/events/event/", event_views.event, name="event"),
    path("a/<name:account_key>/sending/", event_views.sending, name="sending"),
]
