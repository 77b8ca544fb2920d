import pytest
from django.test import Client


@pytest.fixture
def log_in():
    """A browser of its own for each person."""

    def log_in_as(person):
        client = Client()
        client.force_login(person)
        return client

    return log_in_as
