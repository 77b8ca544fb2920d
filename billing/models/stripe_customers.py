"""Who is charged through Stripe."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class CustomerProblem(models.TextChoices):
    DELETED = "deleted", _("deleted in Stripe")
    MERGED = "merged", _("merged into another customer in Stripe")
    AMBIGUOUS = "ambiguous", _("several customers in Stripe say that they are this account")
    REFUSED = "refused", _("refused by Stripe")


class StripeCustomer(models.Model):
    """An account that is charged through Stripe. `stripe_id` is null until Stripe has answered.

    `number` counts the customers that the account has had there, and `former_ids` names those before. `fingerprint` is
    that of the profile which Stripe is to know, by `revision`; it knows that of `told_revision`. The card is that which
    invoices are collected from. While there is a problem nothing more is told to Stripe; a person decides.
    """

    account = models.OneToOneField(
        "metering.Account", models.PROTECT, primary_key=True, related_name="+", verbose_name=_("account")
    )
    stripe_id = models.CharField(_("customer in Stripe"), max_length=255, unique=True, null=True, blank=True)
    number = models.PositiveIntegerField(_("number"), default=1)
    former_ids: "models.Field[list[str], list[str]]" = ArrayField(
        models.CharField(max_length=255), verbose_name=_("former customers in Stripe"), default=list, blank=True
    )
    fingerprint = models.CharField(_("fingerprint"), max_length=64, blank=True)
    revision = models.PositiveIntegerField(_("revision"), default=0)
    told_revision = models.PositiveIntegerField(_("revision that Stripe knows"), default=0)
    synced_at = models.DateTimeField(_("told Stripe"), null=True, blank=True)
    tax_number = models.CharField(_("tax number that Stripe knows"), max_length=40, blank=True)
    tax_id = models.CharField(_("tax number in Stripe"), max_length=255, blank=True)
    payment_method_id = models.CharField(_("payment method in Stripe"), max_length=255, blank=True)
    card_brand = models.CharField(_("brand of the card"), max_length=40, blank=True)
    card_last4 = models.CharField(_("last digits of the card"), max_length=4, blank=True)
    card_expires = models.DateField(
        _("card expires"), null=True, blank=True, help_text=_("The first day of the month in which it does.")
    )
    problem = models.CharField(_("problem"), max_length=10, choices=CustomerProblem.choices, blank=True)
    problem_detail = models.TextField(_("what happened"), blank=True)
    problem_at = models.DateTimeField(_("problem since"), null=True, blank=True)
    asked_at = models.DateTimeField(_("asked for"))

    class Meta:
        verbose_name = _("Stripe customer")
        verbose_name_plural = _("Stripe customers")
        constraints = [
            models.CheckConstraint(
                condition=Q(stripe_id__isnull=True) | Q(stripe_id__startswith="cus_"), name="stripe_customer_id_is_one"
            ),
            models.CheckConstraint(
                condition=Q(problem__in=["", *CustomerProblem.values]), name="stripe_customer_problem_is_known"
            ),
            models.CheckConstraint(
                condition=Q(problem="", problem_detail="", problem_at__isnull=True)
                | ~Q(problem="") & Q(problem_at__isnull=False),
                name="stripe_customer_problem_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(payment_method_id="", card_brand="", card_last4="", card_expires__isnull=True)
                | ~Q(payment_method_id=""),
                name="stripe_customer_card_is_of_a_payment_method",
            ),
            models.CheckConstraint(
                condition=Q(payment_method_id="") | Q(stripe_id__isnull=False),
                name="stripe_customer_has_an_id_before_a_card",
            ),
            models.CheckConstraint(condition=Q(number__gte=1), name="stripe_customer_numbered_from_one"),
            models.CheckConstraint(
                condition=Q(told_revision__lte=F("revision")), name="stripe_customer_told_what_there_is"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} – {self.stripe_id or '…'}"
