"""Below `/api/v1/`, after what metering answers by itself."""

from django.urls import path

from portal.rest.events import EventLookupView, EventView

urlpatterns = [
    path("events/lookup", EventLookupView.as_view(), name="event_lookup"),
    path("events/<path:source>/<path:id>", EventView.as_view(), name="event"),
]
