"""What Stripe is told of who pays: pure, from the billing profile to the parameters of a customer."""

import re
from dataclasses import dataclass
from typing import Any

from billing.profiles import ProfileFact

# How Stripe calls the tax numbers of a country, and what one looks like; others go along as metadata alone. The Greek
# ones begin with EL, and those of Northern Ireland with XI.
EU: tuple[str, ...] = ("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT")
EU += ("LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK")
TAX_TYPES = dict.fromkeys(EU, ("eu_vat", r"[A-Z]{2}[A-Z0-9+*]{2,12}")) | {
    "AU": ("au_abn", r"\d{11}"),
    "CA": ("ca_gst_hst", r"\d{9}RT\d{4}"),
    "CH": ("ch_vat", r"CHE\d{9}(MWST|TVA|IVA)"),
    "GB": ("gb_vat", r"(GB\w{5,12}|XI\w{5,12})"),
    "IN": ("in_gst", r"\w{15}"),
    "JP": ("jp_trn", r"T\d{13}"),
    "NO": ("no_vat", r"\d{9}MVA"),
    "NZ": ("nz_gst", r"\d{8,9}"),
    "US": ("us_ein", r"\d{2}-?\d{7}"),
}
LONGEST_METADATA = 500
LONGEST_NAME = 256


@dataclass(frozen=True, slots=True)
class TaxNumber:
    """A tax number as Stripe files it."""

    type: str
    value: str


def describe_details(profile: ProfileFact) -> dict[str, Any]:
    """The parameters that tell Stripe who pays. An empty text unsets what was there before."""
    return {
        "name": profile.legal_name[:LONGEST_NAME],
        "email": profile.email,
        "address": describe_address(profile),
        "preferred_locales": [profile.language],
        "metadata": {"palier_tax_number": profile.tax_number[:LONGEST_METADATA]},
    }


def describe_address(profile: ProfileFact) -> dict[str, str] | str:
    """As on an envelope: Stripe has two lines for what ours has any number of, and keeps the country apart."""
    lines = [line.strip() for line in profile.address.splitlines() if line.strip()]
    if not lines and not profile.country:
        return ""
    return {"line1": "".join(lines[:1]), "line2": ", ".join(lines[1:]), "country": profile.country}


def find_tax_number(profile: ProfileFact) -> TaxNumber | None:
    """None where there is none, or Stripe has no place for the country's."""
    known = TAX_TYPES.get(profile.country)
    if known is None:
        return None
    kind, form = known
    value = re.sub(r"[\s.]", "", profile.tax_number).upper()
    return TaxNumber(kind, value) if re.fullmatch(form, value) else None
