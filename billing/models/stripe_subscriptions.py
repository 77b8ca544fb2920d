"""What Stripe knows of subscriptions."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Func, Q
from django.utils.translation import gettext_lazy as _

from billing.models.plans import PlanVersion
from billing.models.subscriptions import Subscription


class StripeSubscription(models.Model):
    """One stretch [starts_at, ends_at) of a subscription, which is one subscription in Stripe.

    A stretch is of periods that follow one another on one version, without a cut. `ends_at` is null while it goes on,
    and lies ahead where Stripe was told that it will end; `closed_at` is when its end was seen there. `anchor` is where
    its first whole cycle begins in Stripe; with an `anchor_day` months end on that day, or their last one. `starts_at`
    is where Palier's stretch begins and `cycle_starts_at` where Stripe says that its first cycle does. `items` maps the
    ids of prices, as text, to those of the items; "fee" is the carrier of a plan without a fee.
    """

    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="stripe_subscriptions", verbose_name=_("subscription")
    )
    version = models.ForeignKey(PlanVersion, models.PROTECT, related_name="+", verbose_name=_("version"))
    customer_id = models.CharField(_("customer in Stripe"), max_length=255)
    stripe_id = models.CharField(_("subscription in Stripe"), max_length=255, unique=True, null=True, blank=True)
    starts_at = models.DateTimeField(_("starts"))
    trial_ends_at = models.DateTimeField(_("trial ends"), null=True, blank=True)
    anchor = models.DateTimeField(_("anchor"))
    anchor_day = models.PositiveSmallIntegerField(_("day of the month"), null=True, blank=True)
    ends_at = models.DateTimeField(_("ends"), null=True, blank=True)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    cycle_starts_at = models.DateTimeField(_("first cycle starts"), null=True, blank=True)
    items = models.JSONField(_("items"), default=dict, blank=True)
    status = models.CharField(_("status in Stripe"), max_length=30, blank=True)
    collection_method = models.CharField(_("collection"), max_length=30, blank=True)
    problem = models.TextField(_("problem"), blank=True)

    class Meta:
        verbose_name = _("Stripe subscription")
        verbose_name_plural = _("Stripe subscriptions")
        constraints = [
            models.UniqueConstraint(
                fields=["subscription"], condition=Q(closed_at__isnull=True), name="stripe_subscription_one_live"
            ),
            models.CheckConstraint(
                condition=Q(stripe_id__isnull=True) | Q(stripe_id__startswith="sub_"),
                name="stripe_subscription_id_is_one",
            ),
            models.CheckConstraint(
                condition=Q(customer_id__startswith="cus_"), name="stripe_subscription_is_of_a_customer"
            ),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gte=F("starts_at")),
                name="stripe_subscription_ends_after_its_start",
            ),
            models.CheckConstraint(
                condition=Q(anchor__gt=F("starts_at")), name="stripe_subscription_anchor_after_its_start"
            ),
            models.CheckConstraint(
                condition=Q(trial_ends_at__isnull=True)
                | Q(trial_ends_at__gt=F("starts_at"), trial_ends_at__lte=F("anchor")),
                name="stripe_subscription_trial_before_its_anchor",
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) | Q(ends_at__isnull=False, closed_at__gte=F("ends_at")),
                name="stripe_subscription_closed_at_its_end",
            ),
            models.CheckConstraint(
                condition=Q(anchor_day__isnull=True) | Q(anchor_day__gte=1, anchor_day__lte=31),
                name="stripe_subscription_anchor_day_is_of_a_month",
            ),
            models.CheckConstraint(
                condition=Q(stripe_id__isnull=True, status="", items={}, cycle_starts_at__isnull=True)
                | Q(stripe_id__isnull=False, cycle_starts_at__isnull=False) & ~Q(status=""),
                name="stripe_subscription_is_known_whole",
            ),
            ExclusionConstraint(
                name="stripe_subscriptions_do_not_overlap",
                expressions=[
                    (Func("subscription_id", "subscription_id", template="int8range(%(expressions)s, '[]')"), "&&"),
                    (
                        Func(
                            "starts_at",
                            "ends_at",
                            RangeBoundary(),
                            function="TSTZRANGE",
                            output_field=DateTimeRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subscription} – {self.stripe_id or '…'}"
