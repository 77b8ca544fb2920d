from django.urls import URLPattern, URLResolver, include, path

from metering.api.events import receive_events

app_name = "metering"
urlpatterns: list[URLPattern | URLResolver] = [
    path("events", receive_events, name="events"),
    path("", include("metering.rest.urls")),
]
