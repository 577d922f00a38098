"""The pages around the second factor. Before it is shown, only `code` and `set_up` open."""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

import django_otp
import segno
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.core.signing import BadSignature, Signer
from django.forms import Form
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_otp.plugins.otp_totp.models import TOTPDevice

from coaching_site import limits, networks
from coaching_site.desk import audit, sign_in, two_factor
from coaching_site.desk.forms import CodeForm, PasswordForm, ReplaceForm, SetUpForm

UserView = Callable[[HttpRequest, User], HttpResponse]

# So long the second factor may take after the password: time enough to install an app.
HALF_SIGNED_IN = 30 * 60  # seconds
FEW_CODES = 3
STATE = "Anmeldung in zwei Schritten"


def after_password(view: UserView) -> Callable[[HttpRequest], HttpResponse]:
    """For whoever of the desk has given a password; the pages ask for the rest themselves."""

    @wraps(view)
    def wrapped(request: HttpRequest) -> HttpResponse:
        user = request.user
        if not isinstance(user, User) or not (user.is_active and user.is_staff):
            return redirect_to_login(request.get_full_path(), reverse("admin:login"))
        if request.method != "POST":
            return view(request, user)
        with audit.by(user.get_username()):
            return view(request, user)

    return never_cache(sensitive_post_parameters()(wrapped))


def second_step(request: HttpRequest, *, then: str) -> HttpResponse:
    """From the password to the digits, or to where they are set up."""
    name = "code" if two_factor.device_of(request.user) else "two_factor_set_up"
    return redirect(f"{reverse(f'admin:{name}')}?{urlencode({'next': then})}")


@after_password
@require_http_methods(["GET", "HEAD", "POST"])
def code(request: HttpRequest, user: User) -> HttpResponse:
    """Ask for the six digits or a recovery code."""
    if two_factor.device_of(user) is None or two_factor.is_verified(user):
        return redirect(_next(request))
    now = timezone.now()
    form = CodeForm(_sent(request))
    _focus(form, "digits")
    if not form.is_valid():
        return _page(request, "code", "Zweiter Schritt", form)
    try:
        sign_in.count_code(user.pk, network=networks.network_of(request), now=now)
        if form.cleaned_data["recovery"]:
            device = two_factor.spend_recovery_code(user, code=form.cleaned_data["recovery"])
            _say_how_many_are_left(request, user)
        else:
            device = two_factor.check_digits(user, digits=form.cleaned_data["digits"], now=now)
    except (two_factor.Refused, limits.TooMany) as error:
        return _refused(request, "code", "Zweiter Schritt", form, error)
    _let_in(request, device)
    return redirect(_next(request))


@after_password
@require_http_methods(["GET", "HEAD", "POST"])
def set_up(request: HttpRequest, user: User) -> HttpResponse:
    """Show a new key, and store it once the app has shown that it holds it."""
    replaces = two_factor.device_of(user) is not None
    if replaces and not two_factor.is_verified(user):
        return second_step(request, then=request.get_full_path())
    now = timezone.now()
    form = ReplaceForm(_sent(request)) if replaces else SetUpForm(_sent(request))
    key = _shown_key(request) or two_factor.new_key()
    title = "Neue App einrichten" if replaces else "Anmeldung in zwei Schritten einrichten"
    page = {**_key_to_show(request, user, key), "replaces": replaces}
    if not form.is_valid():
        return _page(request, "set_up", title, form, page)
    try:
        if replaces:
            _check_password(request, user, form.cleaned_data["password"])
        digits = form.cleaned_data["digits"]
        device, codes = two_factor.set_up(user, key=key, digits=digits, now=now)
    except (two_factor.Refused, limits.TooMany) as error:
        return _refused(request, "set_up", title, form, error, page)
    _let_in(request, device)
    return _codes(request, codes)


@require_safe
def state(request: HttpRequest) -> HttpResponse:
    """What is set up, and the ways to change it."""
    return _state(request, PasswordForm())


@sensitive_post_parameters()
@require_POST
def new_codes(request: HttpRequest) -> HttpResponse:
    """Ten new recovery codes; the old ones end."""
    user = request.user
    if not isinstance(user, User) or not two_factor.is_verified(user):
        return redirect("admin:two_factor")
    form = PasswordForm(request.POST)
    if not form.is_valid():
        return _state(request, form)
    try:
        _check_password(request, user, form.cleaned_data["password"])
    except (two_factor.Refused, limits.TooMany) as error:
        return _refused(request, "state", STATE, form, error, _what_is_set_up(user))
    return _codes(request, two_factor.renew_recovery_codes(user, now=timezone.now()))


def _state(request: HttpRequest, form: Form) -> HttpResponse:
    return _page(request, "state", STATE, form, _what_is_set_up(request.user))


def _what_is_set_up(user: Any) -> dict[str, object]:
    device = two_factor.device_of(user)
    left = two_factor.codes_left(user) if device else 0
    return {"device": device, "left": left, "is_low": left <= FEW_CODES}


def _codes(request: HttpRequest, codes: list[str]) -> HttpResponse:
    """The only time these codes are shown: they are not stored as they are, so not even in a redirect."""
    return _page(request, "codes", "Deine Wiederherstellungscodes", Form(), {"codes": codes})


def _check_password(request: HttpRequest, user: User, password: str) -> None:
    """Raises WrongPassword or TooMany."""
    network = networks.network_of(request)
    sign_in.count_password(user.get_username(), network=network, now=timezone.now())
    if not user.check_password(password):
        raise two_factor.WrongPassword


def _let_in(request: HttpRequest, device: TOTPDevice) -> None:
    """From here on this session, under a new name, is verified by this device."""
    request.session.cycle_key()
    request.session.set_expiry(None)
    django_otp.login(request, device)


def _say_how_many_are_left(request: HttpRequest, user: User) -> None:
    left = two_factor.codes_left(user)
    sentence = f"Noch {left} unbenutzt." if left else "Das war der letzte."
    messages.warning(request, f"Du hast einen Wiederherstellungscode benutzt. {sentence}")


def _sent(request: HttpRequest) -> QueryDict | None:
    return request.POST if request.method == "POST" else None


def _next(request: HttpRequest) -> str:
    """Where somebody was going, if it is here."""
    wanted = request.POST.get("next") or request.GET.get("next", "")
    is_here = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_here else reverse("admin:index")


def _signer(request: HttpRequest) -> Signer:
    """Between two requests a new key lies with the browser, sealed for this session alone."""
    return Signer(salt=f"two-factor.{request.session.session_key}")


def _shown_key(request: HttpRequest) -> str | None:
    try:
        return _signer(request).unsign(request.POST.get("key", ""))
    except BadSignature:
        return None


def _key_to_show(request: HttpRequest, user: User, key: str) -> dict[str, object]:
    device = TOTPDevice(user=user, key=key)
    typed = b32encode(device.bin_key).decode()
    code = segno.make(device.config_url, error="m", micro=False)
    return {
        "key": _signer(request).sign(key),
        "address": device.config_url,
        "picture": code.svg_data_uri(scale=4, light="#fff"),
        "typed": [typed[at : at + 4] for at in range(0, len(typed), 4)],
    }


def _page(
    request: HttpRequest,
    name: str,
    title: str,
    form: Form,
    page: dict[str, object] | None = None,
    *,
    status: int = 0,
) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": title,
        "form": form,
        "next": _next(request),
        **(page or {}),
    }
    if form.is_bound and form.errors:
        _focus(form, *form.errors)
        status = status or 422
    return TemplateResponse(
        request, f"admin/desk/two_factor/{name}.html", context, status=status or 200
    )


def _focus(form: Form, *names: str) -> None:
    """Let the first of these fields have the cursor."""
    for name, field in form.fields.items():
        field.widget.attrs["autofocus"] = name == names[0]


def _refused(
    request: HttpRequest,
    name: str,
    title: str,
    form: Form,
    error: two_factor.Refused | limits.TooMany,
    page: dict[str, object] | None = None,
) -> HttpResponse:
    """The same page with what is wrong; 429 (RFC 6585, 4) for those who tried too often."""
    if isinstance(error, two_factor.Refused):
        form.add_error(error.field, error.message)
        return _page(request, name, title, form, page)
    form.add_error(None, error.message)
    answer = _page(request, name, title, form, page, status=429)
    answer["Retry-After"] = limits.seconds(error.retry_after)
    return answer
