"""Below `/api/v1/`. One line for each view; the events have their own, in `metering.urls`."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
