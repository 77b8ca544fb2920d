"""The demo's people. Their passwords are drawn anew each time and shown once; only hashes are kept."""

import secrets
from dataclasses import dataclass

from django.contrib.auth.models import Group

from crm.reps import create_rep
from crm.roles import FINANCE, SALES_MANAGER, SALES_REP
from metering.accounts import UnknownAccount, find_account
from portal.models import Membership, Role, User

CUSTOMER = "75.97.9.59"  # the client that passes its plan's limit by most requests
CUSTOMER_EMAIL = "customer@demo.example"
PAYER, PAYER_EMAIL = "northwind.example", "payer@demo.example"  # who is charged through Stripe
MANAGER_EMAIL = "manager@demo.example"
STAFF = {
    "amal@demo.example": ("Amal", SALES_REP),
    "bruno@demo.example": ("Bruno", SALES_REP),
    "chloe@demo.example": ("Chloé", SALES_REP),
    MANAGER_EMAIL: ("Dominique", SALES_MANAGER),
    "finance@demo.example": ("Elif", FINANCE),
}


@dataclass(frozen=True, slots=True)
class Login:
    email: str
    password: str
    who: str
    where: str


def seed_staff() -> None:
    """Make the staff of the demo and its administrator. A second call changes nothing."""
    for email, (name, group) in STAFF.items():
        user = ensure_user(email, name=name, is_staff=True)
        user.groups.add(Group.objects.get(name=group))
        if group == SALES_REP:
            create_rep(user_id=user.pk)
    ensure_user("admin@demo.example", name="Administrator", is_staff=True, is_superuser=True)


def seed_customer() -> None:
    """Let the demo's customer see their account, once it is there."""
    seed_owner(CUSTOMER, CUSTOMER_EMAIL, name="Camille")


def seed_owner(account_key: str, email: str, *, name: str) -> None:
    """Let somebody see an account as its owner, once it is there. A second call changes nothing."""
    try:
        account = find_account(account_key)
    except UnknownAccount:
        return
    user = ensure_user(email, name=name)
    Membership.objects.get_or_create(user=user, account_id=account.id, defaults={"role": Role.OWNER})


def ensure_user(email: str, *, name: str, is_staff: bool = False, is_superuser: bool = False) -> User:
    fields = {"name": name, "is_staff": is_staff, "is_superuser": is_superuser}
    user, created = User.objects.get_or_create(email=email, defaults=fields)
    if created:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return user


def renew_passwords() -> list[Login]:
    """Draw a password for each of the demo's people and return them in the clear, for the terminal only."""
    logins = []
    for user in (
        User.objects.filter(email__endswith="@demo.example")
        .prefetch_related("groups")
        .order_by("is_staff", "is_superuser", "pk")
    ):
        password = secrets.token_urlsafe(12)
        user.set_password(password)
        user.save(update_fields=["password"])
        role = ", ".join(group.name for group in user.groups.all()) or (
            "all rights" if user.is_superuser else "customer"
        )
        logins.append(Login(user.email, password, f"{user.name} ({role})", "/admin/" if user.is_staff else "/"))
    return logins


def show_logins(logins: list[Login]) -> str:
    rows = [f"  {login.where:<8} {login.email:<24} {login.password:<18} {login.who}" for login in logins]
    return "\n".join(["Log-ins (new passwords at each start):", *rows])
