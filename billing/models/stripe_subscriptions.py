"""What Stripe knows of subscriptions."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Func, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.models.plans import PlanVersion
from billing.models.subscriptions import Subscription


class StripeSubscription(models.Model):
    """One stretch [starts_at, ends_at) of a subscription, which is one subscription in Stripe.

    A stretch is of periods that follow one another on one version, without a cut. `ends_at` is null while it goes on,
    and lies ahead where its end is planned; `closed_at` is when it was over in Stripe as well. What it is to be there
    is counted by `revision`; Stripe knows that of `told_revision`, and was told that it ends at `told_ends_at`.
    `starts_at` is where the stretch begins, `cycle_starts_at` where Stripe says that its first cycle does, and `anchor`
    where its first whole cycle does; with an `anchor_day` months end on that day, or their last one. `items` maps the
    ids of prices, as text, to those of the items; `lost_items` are those of them that are gone in Stripe.
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
    closed_at = models.DateTimeField(pgettext_lazy("moment", "closed"), null=True, blank=True)
    cycle_starts_at = models.DateTimeField(_("first cycle starts"), null=True, blank=True)
    items = models.JSONField(_("items"), default=dict, blank=True)
    status = models.CharField(_("status in Stripe"), max_length=30, blank=True)
    collection_method = models.CharField(_("collection"), max_length=30, blank=True)
    lost_items = models.JSONField(_("items gone"), default=list, blank=True)
    is_backdated = models.BooleanField(_("backdated"), default=False)
    revision = models.PositiveIntegerField(_("revision"), default=0)
    told_revision = models.PositiveIntegerField(_("revision that Stripe knows"), default=0)
    told_ends_at = models.DateTimeField(_("ends in Stripe"), null=True, blank=True)

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
                condition=Q(anchor__gte=F("starts_at")), name="stripe_subscription_anchor_not_before_its_start"
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
                condition=Q(told_revision__lte=F("revision")), name="stripe_subscription_told_what_there_is"
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


class StripeMirroring(models.Model):
    """How far the mirroring of a subscription has looked: at its history up to `change_id`, and when it looks again.

    `number` counts the errands that were promised for it. With a problem it waits until a person has it try again.
    """

    subscription = models.OneToOneField(
        Subscription, models.PROTECT, primary_key=True, related_name="+", verbose_name=_("subscription")
    )
    change_id = models.BigIntegerField(_("change looked at"), default=0)
    due_at = models.DateTimeField(_("looks again"), null=True, blank=True)
    number = models.PositiveIntegerField(_("number"), default=0)
    problem = models.TextField(_("problem"), blank=True)

    class Meta:
        verbose_name = _("mirroring of a subscription")
        verbose_name_plural = _("mirroring of subscriptions")
        indexes = [models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="stripe_mirroring_by_due")]

    def __str__(self) -> str:
        return str(self.subscription)
