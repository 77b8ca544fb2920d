from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from metering.models.digits import TOTAL
from metering.models.limits import Limit


class AlertKind(models.TextChoices):
    """What a rule looks at."""

    USAGE = "usage", _("usage")
    FORECAST = "forecast", _("forecast")
    SPEND = "spend", _("spend")
    BUDGET = "budget", _("budget of the customer's own")
    CREDIT = "credit", _("credit balance")
    COMMITMENT = "commitment", _("pace of the commitment")
    ANOMALY = "anomaly", _("anomaly")


class LevelUnit(models.TextChoices):
    """What a level's number counts: percent of the base (a limit, a budget, a pace), or the quantity itself."""

    PERCENT = "percent", _("percent")
    ABSOLUTE = "absolute", _("quantity or amount")


class Direction(models.TextChoices):
    RISING = "rising", _("rising")
    FALLING = "falling", _("falling")


class Severity(models.TextChoices):
    INFO = "info", _("information")
    WARNING = "warning", _("warning")
    CRITICAL = "critical", _("critical")


class Digest(models.TextChoices):
    NONE = "none", _("at once")
    DAILY = "daily", _("once a day")
    WEEKLY = "weekly", _("once a week")


class RuleSet(models.Model):
    """Rules that are switched on together. One set is live; the others wait to be tried on history."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    is_live = models.BooleanField(_("is live"), default=False)

    class Meta:
        verbose_name = _("rule set")
        verbose_name_plural = _("rule sets")
        constraints = [
            models.UniqueConstraint(fields=["is_live"], condition=Q(is_live=True), name="rule_set_one_is_live"),
        ]

    def __str__(self) -> str:
        return self.name


class AlertRule(models.Model):
    """When to speak, of what, to whom. Of the rules of one kind and unit the closest to the account holds.

    An account's comes before its plan's, one for a meter before one for all; without any of these it is for everybody.
    """

    rule_set = models.ForeignKey(RuleSet, models.PROTECT, related_name="rules", verbose_name=_("rule set"))
    name = models.CharField(_("name"), max_length=100)
    kind = models.CharField(_("kind"), max_length=12, choices=AlertKind.choices)
    unit = models.CharField(_("unit"), max_length=10, choices=LevelUnit.choices, default=LevelUnit.PERCENT)
    direction = models.CharField(_("direction"), max_length=8, choices=Direction.choices, default=Direction.RISING)
    is_enabled = models.BooleanField(_("is enabled"), default=True)

    account = models.ForeignKey("metering.Account", models.PROTECT, null=True, blank=True, verbose_name=_("account"))
    plan = models.CharField(_("plan"), max_length=50, blank=True, help_text=_("Its slug; empty for every plan."))
    meter = models.ForeignKey("metering.Meter", models.PROTECT, null=True, blank=True, verbose_name=_("meter"))
    currency = models.CharField(
        _("currency"), max_length=3, blank=True, help_text=_("Of amounts; empty where there are none.")
    )

    repeat_step = models.DecimalField(
        _("repeat every"),
        **TOTAL,
        null=True,
        blank=True,
        help_text=_("A level again at each such step beyond the outermost."),
    )
    rearm_points = models.DecimalField(
        _("re-arm below by"),
        **TOTAL,
        default=5,
        help_text=_("A level speaks again once it was left by so much."),
    )
    renotify_hours = models.PositiveIntegerField(
        _("not again within"), default=24, help_text=_("Hours in which the same level speaks once.")
    )

    p_on = models.DecimalField(_("alarm from"), max_digits=4, decimal_places=3, default="0.8")
    p_off = models.DecimalField(_("clear at"), max_digits=4, decimal_places=3, default="0.5")
    confirmations = models.PositiveSmallIntegerField(_("runs in a row"), default=2)
    min_days = models.PositiveSmallIntegerField(_("days of data"), default=7)

    tells_rep = models.BooleanField(_("tells sales"), default=True)
    tells_members = models.BooleanField(_("tells the account's members"), default=True)
    tells_webhook = models.BooleanField(_("tells webhooks"), default=True)
    quiet_from = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_until = models.TimeField(
        _("quiet until"), null=True, blank=True, help_text=_("By the account's clock. What is critical speaks.")
    )
    digest = models.CharField(
        pgettext_lazy("of messages", "digest"), max_length=8, choices=Digest.choices, default=Digest.NONE
    )

    class Meta:
        verbose_name = _("alert rule")
        verbose_name_plural = _("alert rules")
        constraints = [
            models.UniqueConstraint(fields=["rule_set", "name"], name="alert_rule_one_per_name"),
            models.CheckConstraint(condition=Q(account__isnull=True) | Q(plan=""), name="alert_rule_has_one_scope"),
            models.CheckConstraint(
                condition=Q(repeat_step__isnull=True) | Q(repeat_step__gt=0), name="alert_rule_step_is_positive"
            ),
            models.CheckConstraint(condition=Q(rearm_points__gte=0), name="alert_rule_rearms_at_or_below"),
            models.CheckConstraint(
                condition=Q(p_off__gte=0, p_off__lt=F("p_on"), p_on__lte=1), name="alert_rule_chances_in_order"
            ),
            models.CheckConstraint(condition=Q(confirmations__gte=1), name="alert_rule_confirms_once"),
            models.CheckConstraint(
                condition=Q(quiet_from__isnull=True, quiet_until__isnull=True)
                | (Q(quiet_from__isnull=False, quiet_until__isnull=False) & ~Q(quiet_from=F("quiet_until"))),
                name="alert_rule_quiet_has_both_ends",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class AlertLevel(models.Model):
    """One number at which a rule speaks: of a forecast the level that will be reached, of an anomaly the deviations."""

    rule = models.ForeignKey(AlertRule, models.CASCADE, related_name="levels", verbose_name=_("rule"))
    level = models.DecimalField(_("level"), **TOTAL)
    severity = models.CharField(_("severity"), max_length=8, choices=Severity.choices, default=Severity.WARNING)

    class Meta:
        verbose_name = _("level")
        verbose_name_plural = _("levels")
        ordering = ["level"]
        constraints = [
            models.UniqueConstraint(fields=["rule", "level"], name="alert_level_once_per_rule"),
            models.CheckConstraint(condition=Q(level__gte=0), name="alert_level_is_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.level.normalize():f}"


class AlertState(models.TextChoices):
    TOLD = "told", _("told")
    SUPERSEDED = "superseded", _("superseded by a higher level")
    SUPPRESSED = "suppressed", _("kept silent")


class Silence(models.TextChoices):
    """Why an alert was kept silent."""

    FLAP = "flap", _("spoke a short while ago")
    SNOOZED = "snoozed", _("snoozed")
    LATE = "late", _("late, its period is final")


class AlertCause(models.TextChoices):
    """What made it speak, when it was not simply usage."""

    USAGE = "usage", _("usage")
    LIMIT_CHANGED = "limit_changed", _("the limit was changed")
    LIMIT_IS_NEW = "limit_is_new", _("used before this limit was there")
    CATCH_UP = "catch_up", _("found late, after an outage")


class Recovery(models.TextChoices):
    FELL = "fell", _("fell below")
    LIMIT_CHANGED = "limit_changed", _("the limit was changed")
    FORECAST_FELL = "forecast_fell", _("no longer expected")
    WINDOW_ENDED = "window_ended", _("its window ended")


class Outcome(models.TextChoices):
    """What an alert was worth, said when its window ended."""

    REACHED = "reached", _("the limit was reached")
    NOT_REACHED = "not_reached", _("the limit was not reached")
    NOT_GRADED = "not_graded", _("nothing to grade")


class Alert(models.Model):
    """A level was reached. Once per account, meter or subject, window, epoch, level and arming, by constraint.

    What it saw never changes, by trigger; what became of it is said once.
    """

    kind = models.CharField(
        _("kind"), max_length=12, choices=AlertKind.choices, default=AlertKind.USAGE, db_default=AlertKind.USAGE
    )
    unit = models.CharField(
        _("unit"),
        max_length=10,
        choices=LevelUnit.choices,
        default=LevelUnit.PERCENT,
        db_default=LevelUnit.PERCENT,
    )
    rule = models.ForeignKey(AlertRule, models.PROTECT, null=True, related_name="alerts", verbose_name=_("rule"))
    account = models.ForeignKey("metering.Account", models.PROTECT, verbose_name=_("account"), related_name="alerts")
    meter = models.ForeignKey("metering.Meter", models.PROTECT, null=True, verbose_name=_("meter"))
    limit = models.ForeignKey(Limit, models.PROTECT, null=True, verbose_name=_("limit"))
    subject = models.CharField(
        _("subject"),
        max_length=100,
        blank=True,
        default="",
        db_default="",
        help_text=_("What it is about, where no meter says so: a currency, a budget, a subscription."),
    )
    plan = models.CharField(_("plan"), max_length=50, blank=True, default="", db_default="")
    time_zone = models.CharField(_("time zone"), max_length=60, default="UTC", db_default="UTC")
    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(_("ends at"))
    epoch = models.PositiveIntegerField(_("epoch"))
    level = models.DecimalField(_("level"), **TOTAL)
    arming = models.PositiveIntegerField(
        _("arming"), default=1, db_default=1, help_text=_("Grows each time the level was left and armed again.")
    )
    severity = models.CharField(
        _("severity"),
        max_length=8,
        choices=Severity.choices,
        default=Severity.WARNING,
        db_default=Severity.WARNING,
    )
    used = models.DecimalField(_("used"), **TOTAL, help_text=_("When the level was seen."))
    quantity = models.DecimalField(
        _("quantity"),
        **TOTAL,
        null=True,
        help_text=_("The limit or other base then; none of an absolute level."),
    )
    p_hit = models.DecimalField(
        _("chance"),
        max_digits=4,
        decimal_places=3,
        null=True,
        help_text=_("Of reaching the limit, as forecast then."),
    )
    crossed_at = models.DateTimeField(
        _("crossed at"),
        help_text=_("When the event happened with which it was reached; where usage adds up, the start of its hour."),
    )
    detected_at = models.DateTimeField(_("detected at"))
    cause = models.CharField(
        _("cause"),
        max_length=14,
        choices=AlertCause.choices,
        default=AlertCause.USAGE,
        db_default=AlertCause.USAGE,
    )
    state = models.CharField(
        _("state"), max_length=10, choices=AlertState.choices, default=AlertState.TOLD, db_default=AlertState.TOLD
    )
    silence = models.CharField(
        _("kept silent because"), max_length=10, choices=Silence.choices, blank=True, default="", db_default=""
    )
    details = models.JSONField(
        _("details"),
        default=dict,
        db_default={},
        help_text=_("What its kind has: a forecast's dates, an anomaly's size."),
    )

    claimed_at = models.DateTimeField(_("claimed at"), null=True, blank=True, help_text=_("When sales took it up."))
    resolved_at = models.DateTimeField(_("resolved at"), null=True, blank=True)
    recovery = models.CharField(
        _("resolved because"), max_length=14, choices=Recovery.choices, blank=True, default="", db_default=""
    )
    reminded_at = models.DateTimeField(_("reminded at"), null=True, blank=True, help_text=_("After a snooze, once."))
    acted_on_at = models.DateTimeField(
        _("acted on at"), null=True, blank=True, help_text=_("When a person first did something about it.")
    )
    outcome = models.CharField(
        pgettext_lazy("of a window", "outcome"),
        max_length=12,
        choices=Outcome.choices,
        blank=True,
        default="",
        db_default="",
    )
    reached_at = models.DateTimeField(_("limit reached at"), null=True, blank=True)
    graded_at = models.DateTimeField(_("graded at"), null=True, blank=True)

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        constraints = [
            models.UniqueConstraint(
                fields=["account", "kind", "unit", "meter", "subject", "starts_at", "epoch", "level", "arming"],
                name="alert_speaks_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(state="suppressed") & ~Q(silence="") | ~Q(state="suppressed") & Q(silence=""),
                name="alert_says_why_it_is_silent",
            ),
            models.CheckConstraint(
                condition=Q(resolved_at__isnull=True, recovery="") | (Q(resolved_at__isnull=False) & ~Q(recovery="")),
                name="alert_says_why_it_is_resolved",
            ),
            models.CheckConstraint(
                condition=Q(graded_at__isnull=True, outcome="") | (Q(graded_at__isnull=False) & ~Q(outcome="")),
                name="alert_says_what_it_was_worth",
            ),
            models.CheckConstraint(condition=Q(starts_at__lt=F("ends_at")), name="alert_window_is_positive"),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(claimed_at__isnull=True, state="told"), name="alert_unclaimed"),
            models.Index(fields=["account", "-detected_at"], name="alert_by_account"),
            models.Index(fields=["limit", "epoch"], name="alert_by_limit"),
            models.Index(fields=["ends_at"], condition=Q(graded_at__isnull=True), name="alert_ungraded"),
            models.Index(fields=["ends_at"], condition=Q(resolved_at__isnull=True), name="alert_standing"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.meter_id or self.subject} {self.kind} {self.level.normalize():f}"


class Snooze(models.Model):
    """Nobody wants to hear of it until a moment, or until a level is reached. One runs per account and meter."""

    account = models.ForeignKey("metering.Account", models.PROTECT, verbose_name=_("account"), related_name="snoozes")
    meter = models.ForeignKey(
        "metering.Meter", models.PROTECT, null=True, blank=True, verbose_name=_("meter"), help_text=_("Empty for all.")
    )
    until = models.DateTimeField(_("until"), null=True, blank=True)
    until_level = models.DecimalField(
        _("until level"), **TOTAL, null=True, blank=True, help_text=_("In percent of the limit.")
    )
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    made_by = models.CharField(_("made by"), max_length=254)
    made_at = models.DateTimeField(_("made at"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    class Meta:
        verbose_name = _("snooze")
        verbose_name_plural = _("snoozes")
        constraints = [
            models.CheckConstraint(
                condition=Q(until__isnull=False) | Q(until_level__isnull=False), name="snooze_has_an_end"
            ),
            models.UniqueConstraint(
                fields=["account", "meter"],
                condition=Q(ended_at__isnull=True),
                name="snooze_one_runs",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.meter_id}"


class AlertCheck(models.Model):
    """When totals were last checked, in one row: what is found after a pause is found late."""

    checked_at = models.DateTimeField(_("checked at"))

    class Meta:
        verbose_name = _("check of limits")
        verbose_name_plural = _("checks of limits")
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="alert_check_is_one")]

    def __str__(self) -> str:
        return f"{self.checked_at:%Y-%m-%d %H:%M:%S}"
