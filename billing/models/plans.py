"""Offers: plans, their versions, and the limits these set."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.late.policy import LateUsage
from billing.models.columns import QUANTITY
from billing.periods import Anchoring, Interval
from billing.proration import Proration
from billing.rating import trim
from billing.validators import validate_currency


class Plan(models.Model):
    """A named offer. What it costs is in its versions."""

    slug = models.SlugField(_("slug"), max_length=60, unique=True)
    name = models.CharField(_("name"), max_length=120)
    rank = models.PositiveIntegerField(_("rank"), unique=True, help_text=_("Order of the plans, smallest first."))

    class Meta:
        ordering = ["rank"]
        verbose_name = _("plan")
        verbose_name_plural = _("plans")

    def __str__(self) -> str:
        return self.name


INTERVALS = [
    (Interval.DAY.value, _("day")),
    (Interval.WEEK.value, _("week")),
    (Interval.MONTH.value, _("month")),
    (Interval.QUARTER.value, _("quarter")),
    (Interval.HALF_YEAR.value, _("half-year")),
    (Interval.YEAR.value, _("year")),
]
ANCHORINGS = [
    (Anchoring.CALENDAR.value, _("with the calendar")),
    (Anchoring.ANNIVERSARY.value, _("from the subscription's anchor")),
]
PRORATIONS = [(Proration.SECOND.value, _("by second")), (Proration.DAY.value, _("by day"))]
LONGEST_TRIAL_DAYS = 730
LONGEST_GRACE_HOURS = 31 * 24
LATE_USAGES = [
    (LateUsage.SETTINGS.value, _("as this installation says")),
    (LateUsage.SETTLE.value, _("billed and credited")),
    (LateUsage.CREDIT.value, _("only credited")),
    (LateUsage.WAIVE.value, _("neither")),
]


class IsAscending(models.Func):
    """Whether an array of numbers ascends from above zero; the function comes with a migration."""

    function = "billing_is_ascending"
    output_field = models.BooleanField(_("output field"))


class PlanVersion(models.Model):
    """Prices, limits and periods as once published. Immutable by trigger from then on; subscribers stay on theirs.

    It can be had from `offered_from` until it is retired, which alone can still be said of it later.
    """

    plan = models.ForeignKey(Plan, models.PROTECT, related_name="versions", verbose_name=_("plan"))
    number = models.PositiveIntegerField(_("number"))
    currency = models.CharField(
        _("currency"), max_length=3, validators=[validate_currency], help_text=_("ISO 4217, such as EUR.")
    )
    interval = models.CharField(
        _("interval"),
        max_length=10,
        choices=INTERVALS,
        default=Interval.MONTH.value,
        help_text=_("How long a period is."),
    )
    anchoring = models.CharField(
        _("where periods begin"),
        max_length=12,
        choices=ANCHORINGS,
        default=Anchoring.CALENDAR.value,
        help_text=_("Where periods begin."),
    )
    proration = models.CharField(
        _("proration"),
        max_length=10,
        choices=PRORATIONS,
        default=Proration.SECOND.value,
        help_text=_("How a fee is cut when a subscription changes within a period."),
    )
    trial_days = models.PositiveSmallIntegerField(
        _("free days"), default=0, help_text=_("Free days at the start; 0 for none.")
    )
    grace_hours = models.PositiveSmallIntegerField(
        _("grace in hours"),
        null=True,
        blank=True,
        help_text=_("From the end of a period to its invoice; empty for that of the installation."),
    )
    commitment_minor = models.BigIntegerField(
        _("commitment"), default=0, help_text=_("What each period comes to at least, in the smallest unit.")
    )
    included_credit_minor = models.BigIntegerField(
        _("included credit"), default=0, help_text=_("Credit granted for each period, in the smallest unit.")
    )
    late_usage = models.CharField(
        _("late usage"),
        max_length=10,
        choices=LATE_USAGES,
        default=LateUsage.SETTINGS.value,
        help_text=_("What is done about usage that is counted, or taken back, after its invoice was issued."),
    )
    late_waive_under_minor = models.BigIntegerField(
        _("late usage is waived under"),
        default=0,
        help_text=_("A smaller charge for late usage is let go, in the smallest unit. Credits never are."),
    )
    thresholds_minor: "models.Field[list[int], list[int]]" = ArrayField(
        models.BigIntegerField(),
        verbose_name=_("thresholds"),
        default=list,
        blank=True,
        size=20,
        help_text=_(
            "Usage is billed ahead when its worth in all the subscription's life passes one of these, in the smallest"
            " unit: ascending, with commas between."
        ),
    )
    threshold_step_minor = models.BigIntegerField(
        _("then every"),
        null=True,
        blank=True,
        help_text=_("Above the last threshold another one each time so much was used, in the smallest unit."),
    )
    published_at = models.DateTimeField(_("published"), null=True, blank=True)
    offered_from = models.DateTimeField(
        _("on offer from"), null=True, blank=True, help_text=_("Who subscribes from then on gets this version.")
    )
    retired_at = models.DateTimeField(_("retired"), null=True, blank=True, help_text=_("Not on offer from then on."))

    class Meta:
        verbose_name = _("plan version")
        verbose_name_plural = _("plan versions")
        constraints = [
            models.UniqueConstraint(fields=["plan", "number"], name="plan_version_numbered_once"),
            models.CheckConstraint(condition=Q(currency__regex="^[A-Z]{3}$"), name="plan_version_currency_is_a_code"),
            models.CheckConstraint(
                condition=Q(interval__in=[each.value for each in Interval]), name="plan_version_interval_is_known"
            ),
            models.CheckConstraint(
                condition=Q(anchoring__in=[each.value for each in Anchoring]), name="plan_version_anchoring_is_known"
            ),
            models.CheckConstraint(
                condition=Q(proration__in=[each.value for each in Proration]), name="plan_version_proration_is_known"
            ),
            models.CheckConstraint(
                condition=Q(trial_days__gte=0, trial_days__lte=LONGEST_TRIAL_DAYS),
                name="plan_version_trial_is_not_too_long",
            ),
            models.CheckConstraint(
                condition=Q(grace_hours__isnull=True) | Q(grace_hours__gte=0, grace_hours__lte=LONGEST_GRACE_HOURS),
                name="plan_version_grace_is_not_too_long",
                violation_error_message=_("A grace is at most 31 days, which are 744 hours."),
            ),
            models.CheckConstraint(
                condition=Q(commitment_minor__gte=0, included_credit_minor__gte=0),
                name="plan_version_amounts_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(late_usage__in=[each.value for each in LateUsage], late_waive_under_minor__gte=0)
                & (~Q(late_usage="settings") | Q(late_waive_under_minor=0)),
                name="plan_version_late_usage_is_known",
                violation_error_message=_("An amount under which late usage is waived needs a rule of this version."),
            ),
            models.CheckConstraint(
                condition=Q(IsAscending("thresholds_minor")),
                name="plan_version_thresholds_ascend",
                violation_error_message=_("Thresholds ascend from above zero."),
            ),
            models.CheckConstraint(
                condition=Q(threshold_step_minor__isnull=True) | Q(threshold_step_minor__gt=0),
                name="plan_version_threshold_step_is_positive",
                violation_error_message=_("A recurring threshold is above zero."),
            ),
            models.CheckConstraint(
                condition=Q(published_at__isnull=True, offered_from__isnull=True, retired_at__isnull=True)
                | Q(published_at__isnull=False, offered_from__isnull=False, offered_from__gte=F("published_at")),
                name="plan_version_offered_once_published",
            ),
            models.CheckConstraint(
                condition=Q(retired_at__isnull=True) | Q(retired_at__gte=F("published_at")),
                name="plan_version_retired_once_published",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan} v{self.number}"


class PlanLimit(models.Model):
    """How much of one meter a plan version allows in a period."""

    version = models.ForeignKey(PlanVersion, models.CASCADE, related_name="limits", verbose_name=_("version"))
    meter = models.ForeignKey("metering.Meter", models.PROTECT, related_name="+", verbose_name=_("meter"))
    quantity = models.DecimalField(_("quantity"), **QUANTITY)
    is_hard = models.BooleanField(_("refused beyond it"), default=False)

    class Meta:
        verbose_name = _("limit")
        verbose_name_plural = _("limits")
        constraints = [
            models.UniqueConstraint(fields=["version", "meter"], name="plan_limit_one_per_meter"),
            models.CheckConstraint(condition=Q(quantity__gte=0), name="plan_limit_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{trim(self.quantity):f}"
