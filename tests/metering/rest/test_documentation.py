"""The description of the API and the page that shows it."""

import json
import re

import pytest
from django.test import Client
from django.urls import reverse

from metering.rest.documentation import build_schema


def test_anybody_may_read_the_description_as_json(client: Client):
    response = client.get("/api/schema/")
    assert response["Content-Type"].startswith("application/vnd.oai.openapi+json")
    assert json.loads(response.content)["openapi"] == "3.1.0"
    assert not response.cookies


@pytest.mark.parametrize("accept", ["application/json", "application/vnd.oai.openapi"])
def test_the_description_comes_in_the_form_that_is_asked_for(client: Client, accept):
    response = client.get("/api/schema/", HTTP_ACCEPT=accept)
    assert response.status_code == 200
    assert response["Content-Type"].startswith(accept)


def test_the_description_has_title_bearer_and_the_events():
    schema = build_schema()
    assert schema["info"]["title"] == "Palier"
    assert schema["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    post = schema["paths"]["/api/v1/events"]["post"]
    assert {"application/cloudevents+json", "application/cloudevents-batch+json"} <= set(post["requestBody"]["content"])
    assert set(post["responses"]) == {"200", "204", "400", "401", "403", "413", "415", "429", "503"}


def test_whatever_the_description_refers_to_is_in_it():
    schema = build_schema()
    names = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(schema)))
    assert names <= set(schema["components"]["schemas"])


def test_every_path_needs_a_key_and_shows_an_example():
    for path, operations in build_schema()["paths"].items():
        for method, operation in operations.items():
            assert operation["security"] == [{"bearer": []}], (path, method)
            good = [answer for status, answer in operation["responses"].items() if status < "300" and status != "204"]
            assert all("example" in json.dumps(answer["content"]) for answer in good), (path, method)


def test_the_page_has_nothing_inline_and_asks_no_cookie(client: Client):
    response = client.get(reverse("api:docs"))
    assert response.status_code == 200
    assert not response.cookies
