"""What a customer means to spend, every word said about it, and whose money moved since it was last looked at."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.models.columns import Digits
from billing.validators import validate_currency

LEVEL: Digits = {"max_digits": 7, "decimal_places": 2}


class Budget(models.Model):
    """What an account means to spend in a period, of all or of one meter. It tells, and never stops anything.

    `epoch` grows whenever the amount becomes another. It stands as the last of its changes says.
    """

    account = models.ForeignKey(
        "metering.Account", models.PROTECT, related_name="+", verbose_name=_("account"), db_index=False
    )
    meter = models.ForeignKey(
        "metering.Meter",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("meter"),
        help_text=_("Empty for all that is spent."),
    )
    currency = models.CharField(
        _("currency"), max_length=3, validators=[validate_currency], help_text=_("ISO 4217, such as EUR.")
    )
    amount_minor = models.BigIntegerField(_("amount"))
    levels = ArrayField(
        models.DecimalField(**LEVEL),
        default=list,
        blank=True,
        verbose_name=_("levels of the customer's own"),
        help_text=_("In percent, besides those of the rules."),
    )
    is_active = models.BooleanField(_("is active"), default=True)
    epoch = models.PositiveIntegerField(_("epoch"), default=1)

    class Meta:
        verbose_name = _("budget")
        verbose_name_plural = _("budgets")
        constraints = [
            models.UniqueConstraint(
                fields=["account", "meter"], name="budget_one_per_account_and_meter", nulls_distinct=False
            ),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="budget_is_positive"),
            models.CheckConstraint(condition=Q(currency__regex="^[A-Z]{3}$"), name="budget_currency_is_a_code"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.meter_id} {self.amount_minor} {self.currency}"


class BudgetChange(models.Model):
    """What was said about a budget, by whom and when; numbered from 1. Append-only by trigger."""

    budget = models.ForeignKey(Budget, models.PROTECT, related_name="changes", verbose_name=_("budget"))
    number = models.PositiveIntegerField(_("number"))
    epoch = models.PositiveIntegerField(_("epoch"))
    amount_minor = models.BigIntegerField(_("amount"))
    levels = ArrayField(models.DecimalField(**LEVEL), default=list, verbose_name=_("levels"))
    is_active = models.BooleanField(_("is active"))
    at = models.DateTimeField(_("at"))
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("change of a budget")
        verbose_name_plural = _("changes of budgets")
        constraints = [models.UniqueConstraint(fields=["budget", "number"], name="budget_change_numbered_once")]

    def __str__(self) -> str:
        return f"{self.budget_id} {self.number}"


class MoneyMove(models.Model):
    """Something moved what an account spends or what credit it has. Taken away by the look that follows it."""

    account = models.ForeignKey(
        "metering.Account", models.CASCADE, related_name="+", verbose_name=_("account"), db_index=False
    )
    moved_at = models.DateTimeField(_("moved at"))

    class Meta:
        verbose_name = _("move of money")
        verbose_name_plural = _("moves of money")

    def __str__(self) -> str:
        return f"{self.account_id} {self.moved_at:%Y-%m-%d %H:%M}"
