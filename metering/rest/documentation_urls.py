from django.urls import path

from metering.rest.documentation import DocumentationPage, SchemaView

app_name = "api"
urlpatterns = [
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", DocumentationPage.as_view(), name="docs"),
]
