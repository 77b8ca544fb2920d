"""The search language, clause by clause."""

import pytest

from stripe_simulator.searching import BadQuery, compile_query

ACME = {
    "email": "bob@acme.example",
    "name": "Acme 'n' sons",
    "metadata": {"account": "acme-1", "tier": "gold"},
    "created": 100,
    "active": True,
    "customer": None,
}


@pytest.mark.parametrize(
    ("query", "is_match"),
    [
        ("metadata['account']:'acme-1'", True),
        ("metadata['account']:'acme'", False),
        ('metadata["account"]:"acme-1" AND metadata["tier"]:"gold"', True),
        ("email:'BOB@acme.example'", True),
        ("email~'acme'", True),
        ("-email~'acme'", False),
        (r"name:'Acme \'n\' sons'", True),
        ("metadata['account']:'x' OR email:'bob@acme.example'", True),
        ("metadata['missing']:null", True),
        ("-metadata['account']:null", True),
        ("created>=100 AND created<101", True),
        ("created>100", False),
        ("active:'true'", True),
    ],
)
def test_a_query_finds_what_it_says(query: str, is_match: bool):
    assert compile_query(query)(ACME) is is_match


@pytest.mark.parametrize(
    "query", ["", "acme", "email:", "email:'a' AND email:'b' OR email:'c'", "created>'x'", "a:'b'c:'d'"]
)
def test_another_language_is_refused(query: str):
    with pytest.raises(BadQuery):
        compile_query(query)
