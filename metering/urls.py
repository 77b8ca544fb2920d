from django.urls import URLPattern, URLResolver, include, path

from metering.rest.events import answer_events

app_name = "metering"
urlpatterns: list[URLPattern | URLResolver] = [
    path("events", answer_events, name="events"),
    path("", include("metering.rest.urls")),
]
