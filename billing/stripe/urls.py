from django.urls import path

from billing.stripe.inbox.views import receive_event

app_name = "stripe"
urlpatterns = [path("webhook/", receive_event, name="webhook")]
