"""Which credit pays which line, rule by rule of the order."""

import pytest

from stripe_simulator.payments.credit_order import Line, Use, is_usable, plan_use, sort_grants

NOW = 1_790_000_000


def make_grant(name: str, *, prices: list[str] | None = None, **changes: object) -> dict:
    scope = {"prices": [{"id": price} for price in prices]} if prices else {"price_type": "metered"}
    return {
        "id": name,
        "amount": {"type": "monetary", "monetary": {"currency": "eur", "value": 1000}},
        "applicability_config": {"scope": scope},
        "category": "paid",
        "created": NOW,
        "effective_at": NOW,
        "expires_at": None,
        "priority": 50,
        "voided_at": None,
    } | changes


@pytest.mark.parametrize(
    "first",
    [
        {"priority": 49, "created": NOW + 9},
        {"expires_at": NOW + 100, "created": NOW + 9},
        {"category": "promotional", "created": NOW + 9},
        {"effective_at": NOW - 1, "created": NOW + 9},
        {"created": NOW - 1},
    ],
)
def test_the_order_is_priority_expiry_category_effect_and_age(first: dict):
    grants = [make_grant("other"), make_grant("first", **first)]
    assert [grant["id"] for grant in sort_grants(grants)] == ["first", "other"]


def test_priority_beats_expiry_and_expiry_beats_category():
    grants = [
        make_grant("promotional", category="promotional"),
        make_grant("expiring", expires_at=NOW + 5),
        make_grant("prior", priority=0),
    ]
    assert [grant["id"] for grant in sort_grants(grants)] == ["prior", "expiring", "promotional"]


def test_a_grant_pays_lines_in_turn_and_never_more_than_it_has_or_they_ask():
    lines = [Line("il_1", "price_a", 700), Line("il_2", "price_b", 900), Line("il_3", "price_a", -50)]
    uses = plan_use([make_grant("a"), make_grant("b", priority=60)], {"a": 1000, "b": 5000}, lines)
    assert uses == [Use("a", "il_1", 700), Use("a", "il_2", 300), Use("b", "il_2", 600)]


def test_a_grant_for_some_prices_pays_only_those():
    lines = [Line("il_1", "price_a", 700), Line("il_2", "price_b", 900)]
    assert plan_use([make_grant("b", prices=["price_b"])], {"b": 5000}, lines) == [Use("b", "il_2", 900)]


@pytest.mark.parametrize(
    "change",
    [
        {"voided_at": NOW},
        {"expires_at": NOW},
        {"effective_at": NOW + 1},
        {"amount": {"type": "monetary", "monetary": {"currency": "usd", "value": 1000}}},
    ],
)
def test_a_void_expired_future_or_foreign_grant_pays_nothing(change: dict):
    assert is_usable(make_grant("a"), "eur", NOW)
    assert not is_usable(make_grant("a", **change), "eur", NOW)
