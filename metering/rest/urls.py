"""Below `/api/v1/`. One line for each view; the events have their own, in `metering.urls`."""

from django.urls import URLPattern, path

from metering.rest.corrections import CorrectionsView
from metering.rest.events import RejectedListView
from metering.rest.forecasts import ForecastsView
from metering.rest.limits import LimitsView
from metering.rest.meters import MetersView
from metering.rest.reservations import ReleaseView, ReservationsView, ReservationView, SettleView
from metering.rest.usage import UsageView

urlpatterns: list[URLPattern] = [
    path("corrections", CorrectionsView.as_view(), name="corrections"),
    path("rejected", RejectedListView.as_view(), name="rejected"),
    path("accounts/<str:account_key>/limits", LimitsView.as_view(), name="limits"),
    path("accounts/<str:account_key>/forecasts", ForecastsView.as_view(), name="forecasts"),
    path("reservations", ReservationsView.as_view(), name="reservations"),
    path("reservations/<uuid:reservation_id>", ReservationView.as_view(), name="reservation"),
    path("reservations/<uuid:reservation_id>/settle", SettleView.as_view(), name="settle"),
    path("reservations/<uuid:reservation_id>/release", ReleaseView.as_view(), name="release"),
    path("meters", MetersView.as_view(), name="meters"),
    path("usage", UsageView.as_view(), name="usage"),
]
