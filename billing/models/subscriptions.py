"""Who is on which plan version, and the periods that are billed."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Func, Q
from django.utils.translation import gettext_lazy as _

from billing.holdings import LARGEST_QUANTITY, Held, hold
from billing.models.plans import Plan, PlanVersion


class SubscriptionState(models.TextChoices):
    TRIALING = "trialing", _("on trial")
    ACTIVE = "active", _("active")
    PAUSED = "paused", _("paused")
    ENDED = "ended", _("ended")


LIVE = [SubscriptionState.TRIALING.value, SubscriptionState.ACTIVE.value, SubscriptionState.PAUSED.value]


class Subscription(models.Model):
    """An account on a plan version, billed by the version's periods in the account's time zone.

    Of the anchor the day and the time of day recur, where the version does not go with the calendar. `plan` is that of
    the version, kept so by trigger. `next_version` takes over at `changes_at`, and at `cancels_at` it will end.
    `quantity` is how many seats it has, and `next_quantity` how many from `quantity_at` on.
    """

    account = models.ForeignKey("metering.Account", models.PROTECT, related_name="+", verbose_name=_("account"))
    version = models.ForeignKey(PlanVersion, models.PROTECT, related_name="subscriptions", verbose_name=_("version"))
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="+", editable=False, verbose_name=_("plan"))
    state = models.CharField(
        _("state"), max_length=10, choices=SubscriptionState.choices, default=SubscriptionState.ACTIVE
    )
    quantity = models.PositiveIntegerField(_("seats"), default=1)
    started_at = models.DateTimeField(_("started"))
    anchor = models.DateTimeField(
        _("anchor"), help_text=_("Periods that do not go with the calendar begin as this moment recurs.")
    )
    trial_ends_at = models.DateTimeField(_("trial ends"), null=True, blank=True)
    next_version = models.ForeignKey(
        PlanVersion, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("next version")
    )
    changes_at = models.DateTimeField(_("changes plan"), null=True, blank=True)
    next_quantity = models.PositiveIntegerField(_("planned seats"), null=True, blank=True)
    quantity_at = models.DateTimeField(_("changes seats"), null=True, blank=True)
    cancels_at = models.DateTimeField(_("will end"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        constraints = [
            models.UniqueConstraint(
                fields=["account", "plan"],
                condition=Q(state__in=LIVE),
                name="subscription_one_active_per_account_and_plan",
            ),
            models.CheckConstraint(
                condition=Q(state__in=LIVE, ended_at__isnull=True) | Q(state="ended", ended_at__isnull=False),
                name="subscription_has_an_end_exactly_when_ended",
            ),
            models.CheckConstraint(
                condition=Q(next_version__isnull=True, changes_at__isnull=True)
                | Q(next_version__isnull=False, changes_at__isnull=False, state__in=["trialing", "active"]),
                name="subscription_change_is_planned_whole",
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=1, quantity__lte=LARGEST_QUANTITY), name="subscription_has_seats"
            ),
            models.CheckConstraint(
                condition=Q(next_quantity__isnull=True, quantity_at__isnull=True)
                | Q(
                    next_quantity__gte=1,
                    next_quantity__lte=LARGEST_QUANTITY,
                    quantity_at__isnull=False,
                    state__in=["trialing", "active"],
                ),
                name="subscription_seats_are_planned_whole",
            ),
            models.CheckConstraint(
                condition=~Q(state="trialing") | Q(trial_ends_at__isnull=False), name="subscription_trial_has_an_end"
            ),
            models.CheckConstraint(
                condition=Q(cancels_at__isnull=True) | ~Q(state="paused"), name="subscription_paused_does_not_run_out"
            ),
        ]
        indexes = [
            models.Index(fields=["trial_ends_at"], condition=Q(state="trialing"), name="subscription_on_trial"),
            models.Index(fields=["changes_at"], condition=Q(changes_at__isnull=False), name="subscription_to_change"),
            models.Index(fields=["quantity_at"], condition=Q(quantity_at__isnull=False), name="subscription_to_seat"),
            models.Index(fields=["cancels_at"], condition=Q(cancels_at__isnull=False), name="subscription_to_end"),
        ]

    def __str__(self) -> str:
        return f"{self.account} – {self.version}"


class Period(models.Model):
    """One billing period [starts_at, ends_at) of a subscription, billed by one plan version.

    A free one is billed to nobody. A prorated one began by a change in the middle of what its version calls a period:
    of the fees only that part is asked. `quantity` is how many seats there were when it began, and `add_ons` how many
    of each by its key; what changes within it is billed by items.
    """

    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="periods", verbose_name=_("subscription")
    )
    version = models.ForeignKey(PlanVersion, models.PROTECT, related_name="+", verbose_name=_("version"))
    is_free = models.BooleanField(_("free"), default=False)
    is_prorated = models.BooleanField(_("prorated"), default=False)
    quantity = models.PositiveIntegerField(_("seats"), default=1)
    add_ons = models.JSONField(_("add-ons"), default=dict, blank=True)
    starts_at = models.DateTimeField(_("starts"))
    ends_at = models.DateTimeField(_("ends"))
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)

    class Meta:
        verbose_name = _("period")
        verbose_name_plural = _("periods")
        constraints = [
            models.CheckConstraint(condition=Q(starts_at__lt=F("ends_at")), name="period_is_positive"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="period_has_seats"),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) | Q(closed_at__gte=F("ends_at")), name="period_closed_after_its_end"
            ),
            ExclusionConstraint(
                name="periods_do_not_overlap",
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
        indexes = [models.Index(fields=["ends_at"], condition=Q(closed_at__isnull=True), name="period_open_by_end")]

    def __str__(self) -> str:
        return f"{self.starts_at:%Y-%m-%d} – {self.ends_at:%Y-%m-%d}"

    @property
    def held(self) -> Held:
        return hold(self.quantity, self.add_ons)
