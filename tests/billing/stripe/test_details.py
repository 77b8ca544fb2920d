from dataclasses import replace

import pytest

from billing.profiles import ProfileFact
from billing.stripe.details import TaxNumber, describe_details, find_tax_number

PROFILE = ProfileFact(
    1, "Acme SARL", "pay@acme.example", "UTC", "FR", "FR 12 345678901", "1 rue A\n\n75001 Paris\nCedex", "fr"
)


def test_the_profile_goes_out_whole() -> None:
    assert describe_details(PROFILE) == {
        "name": "Acme SARL",
        "email": "pay@acme.example",
        "address": {"line1": "1 rue A", "line2": "75001 Paris, Cedex", "country": "FR"},
        "preferred_locales": ["fr"],
        "metadata": {"palier_tax_number": "FR 12 345678901"},
    }


def test_what_was_taken_out_is_unset() -> None:
    told = describe_details(ProfileFact(1, "Acme", "", "UTC"))
    assert (told["email"], told["address"], told["metadata"]) == ("", "", {"palier_tax_number": ""})


@pytest.mark.parametrize(
    ("country", "number", "found"),
    [
        ("FR", "FR 12 345678901", TaxNumber("eu_vat", "FR12345678901")),
        ("CH", "CHE123456789MWST", TaxNumber("ch_vat", "CHE123456789MWST")),
        ("US", "12-3456789", TaxNumber("us_ein", "12-3456789")),
        ("FR", "not a number at all", None),
        ("FR", "", None),
        ("BR", "12345678901", None),
        ("", "FR12345678901", None),
    ],
)
def test_a_tax_number_is_filed_where_stripe_has_a_place_for_it(
    country: str, number: str, found: TaxNumber | None
) -> None:
    assert find_tax_number(replace(PROFILE, country=country, tax_number=number)) == found
