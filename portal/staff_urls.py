"""Pages of the back-office that span apps, below `/admin/events/`."""

from django.contrib import admin
from django.urls import path

from portal import staff_views

app_name = "staff"
urlpatterns = [
    path("", admin.site.admin_view(staff_views.events), name="events"),
    path("event/", admin.site.admin_view(staff_views.event), name="event"),
]
