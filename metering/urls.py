from django.urls import URLPattern, path

from metering.api import receive_events

app_name = "metering"
urlpatterns: list[URLPattern] = [path("events", receive_events, name="events")]
