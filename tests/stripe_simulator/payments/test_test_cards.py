"""What Stripe's test cards do."""

import pytest

from stripe_simulator.payments.test_cards import (
    CARDS,
    check_number,
    find_card,
    has_valid_check_digit,
    needs_authentication,
)


def test_every_test_card_has_a_valid_number_and_a_name_of_its_own():
    assert all(has_valid_check_digit(card.number) for card in CARDS)
    names = [name for card in CARDS for name in card.names]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("token", "last4", "decline_code"),
    [
        ("pm_card_visa", "4242", None),
        ("tok_visa", "4242", None),
        ("pm_card_chargeCustomerFail", "0341", "generic_decline"),
        ("tok_chargeDeclinedInsufficientFunds", "9995", "insufficient_funds"),
    ],
)
def test_a_token_names_a_card(token: str, last4: str, decline_code: str | None):
    card = find_card(token)
    assert card is not None
    assert card.last4 == last4
    assert (card.declines.decline_code if card.declines else None) == decline_code


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        ("4242424242424242", None),
        ("4242424242424241", "number is invalid"),
        ("42", "number is invalid"),
        ("4242 4242", "number is invalid"),
        ("4012888888881881", "non test card"),
    ],
)
def test_only_test_cards_are_taken(number: str, problem: str | None):
    found = check_number(number)
    assert (found is None) if problem is None else (problem in (found or ""))


def test_a_bank_asks_always_or_until_the_card_is_set_up():
    asks_once, asks_always, asks_never = map(
        find_card, ("pm_card_authenticationRequiredOnSetup", "pm_card_authenticationRequired", "pm_card_visa")
    )
    assert asks_once
    assert asks_always
    assert asks_never
    assert needs_authentication(asks_once, is_set_up=False)
    assert not needs_authentication(asks_once, is_set_up=True)
    assert needs_authentication(asks_always, is_set_up=True)
    assert not needs_authentication(asks_never, is_set_up=False)
