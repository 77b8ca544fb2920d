"""Below `/api/v1/`. One line for each view; the events have their own, in `metering.urls`."""

from django.urls import URLPattern, path

from metering.rest.corrections import CorrectionsView

urlpatterns: list[URLPattern] = [
    path("corrections", CorrectionsView.as_view(), name="corrections"),
]
