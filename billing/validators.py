"""Field checks that answer in a form's own words."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from billing.money import UnknownCurrency, find_exponent
from billing.periods import UnknownTimeZone, find_zone
from billing.taxes import InvalidCountry, check_country


def validate_currency(code: str) -> None:
    try:
        find_exponent(code)
    except UnknownCurrency:
        raise ValidationError(_("“%(code)s” is not a currency code of ISO 4217."), params={"code": code}) from None


def validate_time_zone(name: str) -> None:
    try:
        find_zone(name)
    except UnknownTimeZone:
        raise ValidationError(
            _("“%(name)s” is not a time zone; use a name such as Europe/Paris."), params={"name": name}
        ) from None


def validate_country(code: str) -> None:
    try:
        check_country(code)
    except InvalidCountry:
        raise ValidationError(
            _("“%(code)s” is not a country code of ISO 3166; use two capital letters such as FR."),
            params={"code": code},
        ) from None
