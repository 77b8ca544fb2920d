"""People in the back-office: who they are, what they may do, and which accounts they see."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from portal.models import Membership, User

if TYPE_CHECKING:  # generic for the type checker only
    CreationForm = AdminUserCreationForm[User]
    ChangeForm = UserChangeForm[User]
    MembershipTable = admin.TabularInline[Membership, User]
    UserModelAdmin = UserAdmin[User]
    MembershipModelAdmin = admin.ModelAdmin[Membership]
else:
    CreationForm, ChangeForm, MembershipTable = AdminUserCreationForm, UserChangeForm, admin.TabularInline
    UserModelAdmin, MembershipModelAdmin = UserAdmin, admin.ModelAdmin

RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


class PersonCreationForm(CreationForm):
    class Meta:
        model = User
        fields = ("email", "name")


class PersonChangeForm(ChangeForm):
    class Meta:
        model = User
        fields = "__all__"


class MembershipInline(MembershipTable):
    model = Membership
    extra = 0
    autocomplete_fields = ("account",)


@admin.register(User)
class PersonAdmin(UserModelAdmin):
    """Django's own user pages, for people known by e-mail. Only superusers hand out rights."""

    form = PersonChangeForm
    add_form = PersonCreationForm
    ordering = ("email",)
    list_display = ("email", "name", "is_staff", "is_active", "last_login")
    list_filter = ("is_staff", "is_active", "groups")
    search_fields = ("email", "name")
    search_help_text = _("E-mail address or name")
    date_hierarchy = "date_joined"
    filter_horizontal = ("groups", "user_permissions")
    inlines = (MembershipInline,)
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        (_("May do"), {"fields": ("is_active", *RIGHTS)}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("email", "name", "usable_password", "password1", "password2")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        dates = ("last_login", "date_joined")
        return dates if request.user.is_superuser else (*dates, *RIGHTS)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Deleting a selection asks about no one in particular, so it is for superusers."""
        actions = super().get_actions(request)
        if not request.user.is_superuser:
            actions.pop("delete_selected", None)
        return actions

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return may_touch(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return may_touch(request, obj) and super().has_delete_permission(request, obj)


def may_touch(request: HttpRequest, person: User | None) -> bool:
    """Another member of staff is a superuser's business: whoever sets their password gets their rights."""
    return person is None or request.user.is_superuser or not person.is_staff or person.pk == request.user.pk


@admin.register(Membership)
class MembershipAdmin(MembershipModelAdmin):
    """Who sees which account, to be searched from either side."""

    list_display = ("user", "account", "role")
    list_filter = ("role",)
    list_select_related = ("user", "account")
    search_fields = ("user__email", "user__name", "account__key", "account__name")
    search_help_text = _("E-mail address, name, or account")
    autocomplete_fields = ("user", "account")
