"""Who is measured, by what names, and who may speak for them."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

validate_account_key = RegexValidator(
    r"\A[A-Za-z0-9][A-Za-z0-9._:@-]{0,119}\Z",
    _("Use 1 to 120 letters, digits and . _ : @ - and begin with a letter or a digit."),
)


class Account(models.Model):
    """The measured party: whoever the vendor's usage is counted for."""

    key = models.CharField(_("key"), max_length=120, unique=True, validators=[validate_account_key])
    name = models.CharField(_("name"), max_length=200)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")

    def __str__(self) -> str:
        return self.name or self.key


class Alias(models.Model):
    """A name by which events may call an account. The account's own key is one, so that no alias can shadow a key."""

    name = models.CharField(_("name"), max_length=120, primary_key=True, validators=[validate_account_key])
    account = models.ForeignKey(Account, models.CASCADE, verbose_name=_("account"), related_name="aliases")
    named_at = models.DateTimeField(
        _("named at"),
        null=True,
        editable=False,
        help_text=_("When it was given: events that waited for it count since."),
    )

    class Meta:
        verbose_name = _("alias")
        verbose_name_plural = _("aliases")

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """A bearer key. Only its prefix and the SHA-256 of the whole are kept; the key itself is shown once.

    With an account it is that account's own, and sees and sends nothing else; without, it is the vendor's.
    """

    name = models.CharField(_("name"), max_length=120)
    prefix = models.CharField(_("prefix"), max_length=12, unique=True, editable=False)
    digest = models.BinaryField(_("digest"), max_length=32, editable=False)
    scopes = ArrayField(models.CharField(max_length=40), verbose_name=_("scopes"))
    account = models.ForeignKey(
        Account,
        models.PROTECT,
        verbose_name=_("account"),
        null=True,
        blank=True,
        related_name="api_keys",
        help_text=_("Whose usage it may send and see; every account's when empty."),
    )
    rate_per_second = models.PositiveIntegerField(
        _("rate per second"),
        null=True,
        blank=True,
        help_text=_("Events a second, on average; as the settings say when empty."),
    )
    created_at = models.DateTimeField(_("created at"), editable=False)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    previous_digest = models.BinaryField(_("previous digest"), max_length=32, null=True, editable=False)
    previous_expires_at = models.DateTimeField(
        _("previous expires at"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("Until when the secret before the last rotation is good."),
    )

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        constraints = [
            models.CheckConstraint(condition=~Q(scopes=[]), name="api_key_has_a_scope"),
            models.CheckConstraint(
                condition=Q(rate_per_second__isnull=True) | Q(rate_per_second__gt=0), name="api_key_rate_is_positive"
            ),
            models.CheckConstraint(
                condition=Q(previous_digest__isnull=True, previous_expires_at__isnull=True)
                | Q(previous_digest__isnull=False, previous_expires_at__isnull=False),
                name="api_key_previous_secret_ends",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class TokenBucket(models.Model):
    """How much of its rate somebody has left: a key, or an address that failed to show one. Unlogged."""

    name = models.CharField(max_length=80, primary_key=True)
    level = models.DecimalField(max_digits=24, decimal_places=6, help_text="Tokens left at `filled_at`.")
    granted = models.PositiveIntegerField(help_text="Tokens that who asked last was given.")
    filled_at = models.DateTimeField()

    class Meta:
        verbose_name = _("token bucket")
        verbose_name_plural = _("token buckets")

    def __str__(self) -> str:
        return self.name
