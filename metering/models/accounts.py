"""Who is measured, by what names, and who may speak for them."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

validate_account_key = RegexValidator(
    r"\A[A-Za-z0-9][A-Za-z0-9._:@-]{0,119}\Z",
    "Use 1 to 120 letters, digits and . _ : @ - and begin with a letter or a digit.",
)


class Account(models.Model):
    """The measured party: whoever the vendor's usage is counted for."""

    key = models.CharField(max_length=120, unique=True, validators=[validate_account_key])
    name = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name or self.key


class Alias(models.Model):
    """A name by which events may call an account. The account's own key is one, so that no alias can shadow a key."""

    name = models.CharField(max_length=120, primary_key=True, validators=[validate_account_key])
    account = models.ForeignKey(Account, models.CASCADE, related_name="aliases")

    class Meta:
        verbose_name_plural = "aliases"

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """A bearer key. Only its prefix and the SHA-256 of the whole are kept; the key itself is shown once."""

    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=12, unique=True, editable=False)
    digest = models.BinaryField(max_length=32, editable=False)
    scopes = ArrayField(models.CharField(max_length=40))
    created_at = models.DateTimeField(editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API key"
        constraints = [
            models.CheckConstraint(condition=~Q(scopes=[]), name="api_key_has_a_scope"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
