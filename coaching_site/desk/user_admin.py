"""„Benutzer“: who may sign in here, and in which role."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangosUserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from coaching_site.desk import roles

ROLE = "Eine genügt. " + " ".join(f"{name}: {what}." for name, what in roles.EXPLAINED.items())


class RoleField(forms.ModelMultipleChoiceField[Group]):
    """The groups as what they are here: two roles to tick."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            Group.objects.order_by("name"),
            label="Rolle",
            required=False,
            widget=forms.CheckboxSelectMultiple,
            help_text=ROLE,
            **options,
        )


class NewUserForm(UserCreationForm):  # type: ignore[type-arg]
    """Whoever is made here is made to sign in here."""

    groups = RoleField()

    class Meta:
        model = User
        fields = ("username", "groups")

    def save(self, commit: bool = True) -> Any:
        self.instance.is_staff = True
        return super().save(commit)


class NewPasswordForm(AdminPasswordChangeForm):  # type: ignore[type-arg]
    """Everybody here signs in with a password: there is no other way that one could turn to."""

    def __init__(self, user: User, *args: Any, **options: Any) -> None:
        super().__init__(user, *args, **options)
        self.fields.pop("usable_password", None)
        for field in self.fields.values():
            field.required = True


class UserForm(UserChangeForm):  # type: ignore[type-arg]
    # What is stored of it tells nobody anything; a new one is set on a page of its own.
    password = None  # type: ignore[assignment]
    groups = RoleField()

    class Meta:
        model = User
        fields = "__all__"
        labels = {"is_active": "Aktiv", "is_staff": "Darf sich hier anmelden"}
        help_texts = {
            "is_active": "Ohne den Haken kommt niemand mehr herein, und alles bleibt nachvollziehbar. "
            "Das ist besser als Löschen.",
            "is_staff": "",
        }


class UserAdmin(DjangosUserAdmin[User]):
    """Roles instead of permissions one by one: a person's page shows what they may do in a word."""

    form = UserForm
    add_form = NewUserForm
    change_password_form = NewPasswordForm
    change_user_password_template = "admin/auth/user/new_password.html"  # noqa: S105, a path
    list_display = ["username", "first_name", "last_name", "role", "is_active", "last_login"]
    list_filter = ["groups", "is_active"]
    readonly_fields = ["new_password", "last_login", "date_joined"]
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "new_password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Rolle", {"fields": ("groups", "is_active", "is_staff")}),
        ("Darf alles, ohne Rolle", {"classes": ("collapse",), "fields": ("is_superuser",)}),
        ("Verlauf", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "password1", "password2", "groups")}),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="Rolle")
    def role(self, user: User) -> str:
        names = ", ".join(sorted(group.name for group in user.groups.all()))
        return "alles, ohne Rolle" if user.is_superuser else names or "keine"

    @admin.display(description="Passwort")
    def new_password(self, user: User) -> SafeString:
        address = reverse("admin:auth_user_password_change", args=[user.pk])
        return format_html('<a href="{}">Neues Passwort setzen</a>', address)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _is_within_reach(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _is_within_reach(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Nobody gives more than they have."""
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else [*fields, "is_superuser"]


def _is_within_reach(request: HttpRequest, user: User | None) -> bool:
    """Who has a role does not take over whoever may do everything."""
    return user is None or not user.is_superuser or bool(request.user.is_superuser)
