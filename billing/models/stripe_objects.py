"""What is on offer, as Stripe has it."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class StripeKind(models.TextChoices):
    PRODUCT = "product", _("product")
    METER = "meter", _("meter")
    PRICE = "price", _("metered price")
    FEE = "fee", _("flat fee")
    CARRIER = "carrier", _("price of nothing")
    COUPON = "coupon", _("coupon")
    TAX_RATE = "tax_rate", _("tax rate")


class StripeObject(models.Model):
    """One thing of the catalogue and its object in Stripe; `stripe_id` is empty until that is made.

    `key` is the id of Palier's row: of a plan, meter, price, coupon or tax rate, of a version for a carrier. What
    cannot be changed there is in `fingerprint`, so that another one means another object; what can is `label` and
    `is_active`, as they were last told or seen. Each change raises `revision`, which names its job and its calls;
    `told` is the last one that came through.
    """

    kind = models.CharField(_("kind"), max_length=10, choices=StripeKind.choices)
    key = models.CharField(_("key"), max_length=40)
    stripe_id = models.CharField(_("id in Stripe"), max_length=255, blank=True)
    former_ids: "models.Field[list[str], list[str]]" = ArrayField(
        models.CharField(max_length=255), verbose_name=_("former ids in Stripe"), default=list, blank=True
    )
    label = models.CharField(_("name in Stripe"), max_length=250, blank=True)
    fingerprint = models.CharField(_("fingerprint"), max_length=64, blank=True)
    is_active = models.BooleanField(_("active in Stripe"), default=True)
    revision = models.PositiveIntegerField(_("revision"), default=0)
    told = models.PositiveIntegerField(_("revision told"), default=0)
    synced_at = models.DateTimeField(_("told Stripe"), null=True, blank=True)
    problem = models.TextField(_("problem"), blank=True)

    class Meta:
        ordering = ["kind", "pk"]
        verbose_name = _("catalogue object in Stripe")
        verbose_name_plural = _("catalogue objects in Stripe")
        constraints = [
            models.UniqueConstraint(fields=["kind", "key"], name="stripe_object_once_per_kind_and_key"),
            models.UniqueConstraint(
                fields=["stripe_id"], condition=~Q(stripe_id=""), name="stripe_object_id_is_of_one_thing"
            ),
            models.CheckConstraint(condition=Q(kind__in=StripeKind.values), name="stripe_object_kind_is_known"),
            models.CheckConstraint(condition=Q(told__lte=F("revision")), name="stripe_object_told_within_revision"),
            models.CheckConstraint(
                condition=Q(stripe_id="") | Q(synced_at__isnull=False),
                name="stripe_object_with_an_id_was_told",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.key}"
