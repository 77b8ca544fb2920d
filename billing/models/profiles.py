"""Who pays for an account, and which taxes its invoices bear."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.rating import trim
from billing.validators import validate_country, validate_time_zone

IS_COUNTRY = "^[A-Z]{2}$"


def list_languages() -> list[tuple[str, str]]:
    """What documents can be written in."""
    return list(settings.LANGUAGES)


def find_language() -> str:
    """What they are written in unless somebody says otherwise."""
    return settings.LANGUAGE_CODE


class TaxRate(models.Model):
    """One tax, such as a country's VAT. Its numbers never change, by trigger: a new percentage is a new rate."""

    name = models.CharField(_("name"), max_length=60, help_text=_("As documents show it, such as VAT."))
    country = models.CharField(
        _("country"), max_length=2, blank=True, validators=[validate_country], help_text=_("ISO 3166, such as FR.")
    )
    percent = models.DecimalField(_("percentage"), max_digits=7, decimal_places=4)
    is_inclusive = models.BooleanField(
        _("inclusive"), default=False, help_text=_("Prices hold this tax already; it is taken out of them.")
    )

    class Meta:
        ordering = ["country", "name", "pk"]
        verbose_name = _("tax rate")
        verbose_name_plural = _("tax rates")
        constraints = [
            models.UniqueConstraint(fields=["country", "name", "percent", "is_inclusive"], name="tax_rate_once"),
            models.CheckConstraint(condition=Q(percent__gte=0, percent__lte=100), name="tax_rate_is_a_percentage"),
            models.CheckConstraint(
                condition=Q(country="") | Q(country__regex=IS_COUNTRY), name="tax_rate_country_is_a_code"
            ),
            models.CheckConstraint(condition=~Q(name=""), name="tax_rate_has_a_name"),
        ]

    def __str__(self) -> str:
        text = f"{self.name} {trim(self.percent):f} %"
        return f"{self.country} {text}" if self.country else text


class BillingProfile(models.Model):
    """Who pays for an account, whose midnight ends its periods, and which taxes and language its invoices have."""

    account = models.OneToOneField(
        "metering.Account", models.PROTECT, primary_key=True, related_name="+", verbose_name=_("account")
    )
    legal_name = models.CharField(_("legal name"), max_length=200)
    email = models.EmailField(_("e-mail address"), blank=True)
    time_zone = models.CharField(
        _("time zone"),
        max_length=60,
        default="UTC",
        validators=[validate_time_zone],
        help_text=_("A name such as Europe/Paris. Periods not yet opened follow a change."),
    )
    language = models.CharField(
        _("language"),
        max_length=10,
        choices=list_languages,
        default=find_language,
        help_text=_("Of the documents to come; an issued one keeps its own."),
    )
    address = models.TextField(
        _("address"), max_length=500, blank=True, help_text=_("As on an envelope, without the name and the country.")
    )
    country = models.CharField(
        _("country"), max_length=2, blank=True, validators=[validate_country], help_text=_("ISO 3166, such as FR.")
    )
    tax_number = models.CharField(
        _("tax number"),
        max_length=40,
        blank=True,
        help_text=_("What the tax office knows the customer by, such as a VAT number."),
    )
    tax_rates = models.ManyToManyField(
        TaxRate,
        blank=True,
        related_name="profiles",
        verbose_name=_("tax rates"),
        help_text=_("Asked on every line of the invoices to come; none for a customer who is exempt."),
    )

    class Meta:
        verbose_name = _("billing profile")
        verbose_name_plural = _("billing profiles")
        constraints = [
            models.CheckConstraint(
                condition=Q(country="") | Q(country__regex=IS_COUNTRY), name="billing_profile_country_is_a_code"
            ),
        ]

    def __str__(self) -> str:
        return self.legal_name
