from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person, known by e-mail: a customer's colleague or one of our own staff."""

    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    is_staff = models.BooleanField(_("staff"), default=False, help_text=_("May enter the back-office."))
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("Switch off instead of deleting: the person can no longer log in.")
    )
    date_joined = models.DateTimeField(_("joined"), default=timezone.now)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_once_whatever_its_case")]

    def __str__(self) -> str:
        return self.name or self.email


class Role(models.TextChoices):
    OWNER = "owner", _("Owner")
    BILLING = "billing", _("Billing")
    DEVELOPER = "developer", _("Developer")
    VIEWER = "viewer", _("Viewer")


class Membership(models.Model):
    """A person may see an account, in a role."""

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships", verbose_name=_("person"))
    account = models.ForeignKey("metering.Account", models.CASCADE, related_name="+", verbose_name=_("account"))
    role = models.CharField(_("role"), max_length=10, choices=Role.choices)
    alerts_by_mail = models.BooleanField(
        _("alerts by e-mail"), null=True, blank=True, help_text=_("As the role has it when unknown.")
    )

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [models.UniqueConstraint(fields=["user", "account"], name="membership_one_per_user_and_account")]

    def __str__(self) -> str:
        return f"{self.user} in {self.account_id}"

    @property
    def hears_of_alerts(self) -> bool:
        """What the person said; who said nothing hears of them, unless they only look on."""
        return self.role != Role.VIEWER if self.alerts_by_mail is None else self.alerts_by_mail
