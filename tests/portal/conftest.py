from collections.abc import Iterator

import pytest
import time_machine
from django.test import Client

from metering.accounts import AccountRef
from tests.portal import makers


@pytest.fixture
def november() -> Iterator[None]:
    """Noon of 10 November 2026, standing still."""
    with time_machine.travel(makers.NOV_10, tick=False):
        yield


@pytest.fixture
def account(db: None) -> AccountRef:
    return makers.make_account("acme", name="Acme & Söhne <GmbH>")


@pytest.fixture
def owner(account: AccountRef) -> Client:
    """A browser in which the account's owner is logged in."""
    [client] = makers.log_in(makers.make_member(account))
    return client
