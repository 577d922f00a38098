"""The second factor: nothing opens without it, nothing opens twice with it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from coaching_site import limits
from coaching_site.desk import audit, two_factor
from coaching_site.desk.models import Change, RecoveryCodes
from coaching_site.desk.two_factor import WrongDigits, WrongRecoveryCode
from tests.desk.signing_in import (
    CODE,
    DESK,
    LOGIN,
    NEW_CODES,
    PASSWORD,
    SET_UP,
    STATE,
    coach,
    digits,
    give_password,
    path_of,
    sealed_key,
    shown_codes,
    with_app,
)
from tests.test_environment import GOOD

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
# The door itself, and the way out of it.
AT_THE_DOOR = {"login", "code", "two_factor_set_up", "logout"}
PARTS = {"str": "x", "int": "1", "path": "x", "slug": "x", "uuid": "0" * 8}


@pytest.fixture
def required(settings) -> None:
    """As where the site runs for its guests."""
    settings.SECOND_FACTOR_REQUIRED = True


def signed_in(user: User, device: TOTPDevice) -> Client:
    """A browser in which both steps were taken."""
    browser = Client()
    give_password(browser, user.username)
    browser.post(CODE, {"digits": digits(device.key)})
    assert browser.get(STATE).status_code == 200
    return browser


def desk_pages() -> Iterator[tuple[str, str]]:
    """Each page below the desk: its name, and a path that leads to it."""
    resolver = next(
        each
        for each in get_resolver().url_patterns
        if isinstance(each, URLResolver) and each.app_name == "admin"
    )
    yield from below(resolver, DESK)


def below(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, str]]:
    for pattern in resolver.url_patterns:
        path = prefix + filled(pattern)
        if isinstance(pattern, URLPattern):
            yield str(pattern.name), path
        else:
            yield from below(pattern, path)


def filled(pattern: URLPattern | URLResolver) -> str:
    """The pattern with something in the place of each of its parts."""
    if hasattr(pattern.pattern, "_route"):
        path = str(pattern.pattern)
        for name, converter in pattern.pattern.converters.items():
            kind = type(converter).__name__.removesuffix("Converter").lower()
            for written in (f"<{kind}:{name}>", f"<{name}>"):
                path = path.replace(written, PARTS.get(kind, "x"))
        return path
    return "booking/" if "app_label" in str(pattern.pattern) else "gibt-es-nicht/"


# --- nothing opens without it ---------------------------------------------------------------------


def test_no_page_of_the_desk_opens_after_the_password_alone(client, now, required):
    with_app(coach(), now)
    give_password(client)
    assert [path for name, path in desk_pages() if str(resolve(path).url_name) != name] == []
    pages = [path for name, path in desk_pages() if name not in AT_THE_DOOR]

    opened = [
        path
        for path in pages
        for answer in (client.get(path), client.post(path))
        if answer.status_code != 302 or path_of(answer) != LOGIN
    ]

    assert opened == []
    assert len(pages) > 150


def test_the_pages_of_the_desk_do_open_with_it(now, required):
    """The walk above would pass if nothing ever opened."""
    user = coach()
    device, _ = with_app(user, now)
    browser = signed_in(user, device)

    lists = [path for name, path in desk_pages() if name == "index" or name.endswith("_changelist")]
    assert {browser.get(path).status_code for path in lists} <= {200, 302}
    assert browser.get(DESK).status_code == 200


@pytest.mark.parametrize(("profile", "is_required"), [("production", True), ("local", False)])
def test_where_guests_data_are_the_second_factor_is_required(profile, is_required):
    code = "from coaching_site import settings as s; print(s.SECOND_FACTOR_REQUIRED)"
    local = {"SITE_PROFILE": "local", "SITE_URL": "http://localhost:8000"}
    environment = GOOD if profile == "production" else {**GOOD, **local}

    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True
    )

    assert said.stdout.strip() == str(is_required), said.stderr


def test_elsewhere_it_is_offered(client):
    coach()

    assert path_of(give_password(client)) == DESK
    assert "Einrichten" in client.get(STATE).content.decode()


def test_who_has_set_it_up_is_asked_everywhere(client, now):
    with_app(coach(), now)

    response = give_password(client)

    assert path_of(response) == CODE
    assert path_of(client.get(DESK)) == LOGIN
    assert path_of(client.get(LOGIN)) == CODE


def test_a_stranger_without_the_password_sees_neither_page(client):
    assert path_of(client.get(CODE)) == LOGIN
    assert path_of(client.get(SET_UP)) == LOGIN


def test_who_has_the_password_alone_cannot_put_an_app_of_theirs_in_place(client, now, required):
    device, _ = with_app(coach(), now)
    give_password(client)

    page = client.get(SET_UP)
    answer = client.post(SET_UP, {"key": "x", "digits": "123456", "password": PASSWORD})

    assert (path_of(page), path_of(answer)) == (CODE, CODE)
    assert TOTPDevice.objects.get() == device


def test_the_way_from_the_password_to_the_code_ends_after_half_an_hour(client, now):
    device, _ = with_app(coach(), now)
    give_password(client)

    assert Session.objects.get().expire_date < timezone.now() + timedelta(minutes=31)
    client.post(CODE, {"digits": digits(device.key)})
    assert Session.objects.get().expire_date > timezone.now() + timedelta(days=13)


def test_one_may_leave_between_the_two_steps(client, now):
    with_app(coach(), now)
    give_password(client)

    client.post(f"{DESK}logout/")

    assert path_of(client.get(CODE)) == LOGIN


# --- setting up -----------------------------------------------------------------------------------


def test_the_first_sign_in_leads_to_setting_up_and_then_into_the_desk(client, required):
    coach()
    assert path_of(give_password(client)) == SET_UP
    assert path_of(client.get(DESK)) == LOGIN
    sealed, key = sealed_key(client.get(SET_UP).content.decode())

    page = client.post(SET_UP, {"key": sealed, "digits": digits(key), "next": STATE})

    assert len(set(shown_codes(page.content.decode()))) == 10
    assert f'href="{STATE}"' in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    assert client.get(DESK).status_code == 200


def test_the_page_shows_the_key_as_a_picture_a_link_and_letters(client):
    client.force_login(coach())

    answer = client.get(SET_UP)
    page = answer.content.decode()

    key = TOTPDevice(key=sealed_key(page)[1], user=User.objects.get())
    assert 'src="data:image/svg+xml' in page
    assert key.config_url.replace("&", "&amp;") in page
    assert "otpauth://totp/localhost%3Acoach?secret=" in page
    assert "style=" not in page
    assert "require-trusted-types-for 'script'" in answer["Content-Security-Policy"]


def test_looking_at_the_page_stores_nothing(client):
    client.force_login(coach())

    client.get(SET_UP)

    assert not TOTPDevice.objects.exists()


def test_wrong_digits_set_nothing_up_and_keep_the_key_on_the_page(client):
    client.force_login(coach())
    sealed, key = sealed_key(client.get(SET_UP).content.decode())
    wrong = "000000" if digits(key) != "000000" else "000001"

    answer = client.post(SET_UP, {"key": sealed, "digits": wrong})

    assert answer.status_code == 422
    assert sealed_key(answer.content.decode())[1] == key
    assert not TOTPDevice.objects.exists()


def test_a_key_that_was_shown_to_somebody_else_is_not_taken(client):
    client.force_login(coach())
    other = Client()
    other.force_login(coach("andere"))
    sealed, key = sealed_key(other.get(SET_UP).content.decode())

    client.post(SET_UP, {"key": sealed, "digits": digits(key)})

    assert not TOTPDevice.objects.exists()


# --- signing in -----------------------------------------------------------------------------------


def test_the_digits_lead_to_where_one_was_going(client, now):
    device, _ = with_app(coach(), now)
    give_password(client)
    shown = digits(device.key)

    answer = client.post(CODE, {"digits": f"{shown[:3]} {shown[3:]}", "next": STATE})

    assert path_of(answer) == STATE
    assert client.get(STATE).status_code == 200


def test_nobody_is_led_to_another_site(client, now):
    device, _ = with_app(coach(), now)
    give_password(client)

    answer = client.post(CODE, {"digits": digits(device.key), "next": "https://evil.example/"})

    assert answer["Location"] == DESK


def test_the_session_gets_a_new_name_with_each_step(client, now):
    device, _ = with_app(coach(), now)
    names = set()
    client.get(LOGIN)
    give_password(client)
    names.add(client.session.session_key)
    client.post(CODE, {"digits": digits(device.key)})
    names.add(client.session.session_key)

    assert len(names) == 2
    assert Session.objects.count() == 1


def test_the_digits_are_good_once(now):
    user = coach()
    device, _ = with_app(user, now)
    seen = digits(device.key)
    signed_in(user, device)
    thief = Client()
    give_password(thief)

    answer = thief.post(CODE, {"digits": seen})

    assert answer.status_code == 422
    assert "wurde schon benutzt" in answer.content.decode()
    assert path_of(thief.get(DESK)) == LOGIN


def test_the_digits_that_set_up_do_not_sign_in(client):
    user = coach()
    key = two_factor.new_key()
    shown = digits(key)
    two_factor.set_up(user, key=key, digits=shown, now=timezone.now())

    with pytest.raises(WrongDigits):
        two_factor.check_digits(user, digits=shown, now=timezone.now())


def test_after_wrong_digits_one_waits_and_the_right_ones_do_not_help(client, now):
    device, _ = with_app(coach(), now)
    # Those of five half minutes ahead are nobody's yet.
    wrong = digits(device.key, later=5)
    TOTPDevice.objects.update(throttling_failure_count=5)
    give_password(client)
    client.post(CODE, {"digits": wrong})

    answer = client.post(CODE, {"digits": digits(device.key)})

    assert answer.status_code == 429
    assert 30 < int(answer["Retry-After"]) <= 32
    assert path_of(client.get(DESK)) == LOGIN


def test_codes_are_tried_ten_times_in_a_quarter_of_an_hour(client, now):
    _, codes = with_app(coach(), now)
    give_password(client)
    for _ in range(10):
        client.post(CODE, {"recovery": "0000-0000-0000-0000"})

    answer = client.post(CODE, {"recovery": codes[0]})

    assert answer.status_code == 429
    assert len(RecoveryCodes.objects.get().digests) == 10


def test_nothing_typed_is_said_at_the_field(client, now):
    with_app(coach(), now)
    give_password(client)

    page = client.post(CODE, {}).content.decode()

    assert "Gib den sechsstelligen Code aus der App ein." in page
    assert 'autocomplete="one-time-code"' in page
    assert 'inputmode="numeric"' in page
    assert 'aria-invalid="true"' in page


# --- recovery codes -------------------------------------------------------------------------------


def test_a_recovery_code_opens_once_however_it_is_typed(client, now):
    _, codes = with_app(coach(), now)
    give_password(client)
    typed = codes[0].lower().replace("-", " ").replace("0", "o").replace("1", "l")

    client.post(CODE, {"recovery": typed})

    page = client.get(DESK).content.decode()
    assert "Noch 9 unbenutzt." in page
    other = Client()
    give_password(other)
    assert other.post(CODE, {"recovery": codes[0]}).status_code == 422


def test_a_recovery_code_of_somebody_else_opens_nothing(now):
    _, codes = with_app(coach("andere"), now)
    user = coach()
    with_app(user, now)

    with pytest.raises(WrongRecoveryCode):
        two_factor.spend_recovery_code(user, code=codes[0])


def test_what_is_stored_of_a_recovery_code_does_not_tell_it(now):
    _, codes = with_app(coach(), now)

    stored = " ".join(RecoveryCodes.objects.get().digests)
    assert not [code for code in codes if code in stored or code.replace("-", "") in stored]


@pytest.mark.django_db(transaction=True)
def test_of_many_who_send_one_recovery_code_at_once_one_gets_in(now):
    user = coach()
    _, codes = with_app(user, now)
    at_once = Barrier(8)

    def spend(_: int) -> bool:
        connections["default"].ensure_connection()
        at_once.wait()
        try:
            two_factor.spend_recovery_code(user, code=codes[0])
        except WrongRecoveryCode:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(8) as crowd:
        opened = list(crowd.map(spend, range(8)))

    assert sum(opened) == 1


def test_who_runs_out_of_recovery_codes_is_told(client, now):
    user = coach()
    device, _ = with_app(user, now)
    RecoveryCodes.objects.update(digests=["x"])

    page = signed_in(user, device).get(STATE).content.decode()

    assert "Nur noch 1 unbenutzt." in page


def test_new_recovery_codes_end_the_old_and_need_the_password(now):
    user = coach()
    device, old = with_app(user, now)
    browser = signed_in(user, device)

    refused = browser.post(NEW_CODES, {"password": "falsch"})
    assert refused.status_code == 422
    assert "Dieses Passwort stimmt nicht." in refused.content.decode()

    new = shown_codes(browser.post(NEW_CODES, {"password": PASSWORD}).content.decode())
    assert len(new) == 10
    with pytest.raises(WrongRecoveryCode):
        two_factor.spend_recovery_code(user, code=old[0])
    assert two_factor.spend_recovery_code(user, code=new[0]) == device


# --- a new app ------------------------------------------------------------------------------------


def test_a_new_app_needs_the_password_and_ends_what_the_old_one_verified(now):
    user = coach()
    device, _ = with_app(user, now)
    here, elsewhere = signed_in(user, device), Client()
    elsewhere.force_login(user)
    session = elsewhere.session
    session["otp_device_id"] = device.persistent_id
    session.save()
    assert elsewhere.get(DESK).status_code == 200
    sealed, key = sealed_key(here.get(SET_UP).content.decode())
    sent = {"key": sealed, "digits": digits(key)}

    assert here.post(SET_UP, {**sent, "password": "falsch"}).status_code == 422
    assert TOTPDevice.objects.get() == device
    here.post(SET_UP, {**sent, "password": PASSWORD})

    assert TOTPDevice.objects.get().key == key
    assert here.get(DESK).status_code == 200
    assert path_of(elsewhere.get(DESK)) == LOGIN


def test_the_operator_takes_a_lost_second_factor_away(now, required, capsys):
    user = coach()
    device, _ = with_app(user, now)
    browser = signed_in(user, device)

    call_command("reset_second_factor", "coach")
    call_command("reset_second_factor", "coach")

    assert capsys.readouterr().out == "Removed.\nThere was nothing to remove.\n"
    assert path_of(browser.get(DESK)) == LOGIN
    assert path_of(give_password(Client())) == SET_UP
    with pytest.raises(CommandError, match="no user 'niemand'"):
        call_command("reset_second_factor", "niemand")


# --- what is told of it ---------------------------------------------------------------------------


def test_changes_of_it_are_noted_without_a_secret(client, now):
    client.force_login(coach())
    sealed, key = sealed_key(client.get(SET_UP).content.decode())
    client.post(SET_UP, {"key": sealed, "digits": digits(key)})
    client.post(NEW_CODES, {"password": PASSWORD})
    call_command("reset_second_factor", "coach")

    noted = [
        (change.who, change.what, change.table)
        for change in Change.objects.filter(table__in=["otp_totp_totpdevice", "desk_recoverycodes"])
    ]

    assert sorted(noted) == [
        ("coach", "insert", "desk_recoverycodes"),
        ("coach", "insert", "otp_totp_totpdevice"),
        ("coach", "update", "desk_recoverycodes"),
        ("manage.py", "delete", "desk_recoverycodes"),
        ("manage.py", "delete", "otp_totp_totpdevice"),
    ]
    [update] = Change.objects.filter(what="update", table="desk_recoverycodes")
    assert "SHA-256 der ungenutzten Codes: geändert" in audit.told(update)
    assert key not in str(list(Change.objects.values()))
    assert "Zwei-Faktor-App" in client.get(f"{DESK}desk/change/").content.decode()


def test_signing_in_is_no_change(now):
    user = coach()
    device, _ = with_app(user, now)

    signed_in(user, device)

    assert not Change.objects.exists()


def test_nobody_reads_or_makes_an_app_in_the_lists(admin_client):
    assert not admin.site.is_registered(TOTPDevice)
    assert not admin.site.is_registered(RecoveryCodes)
    assert admin_client.get(f"{DESK}otp_totp/totpdevice/").status_code == 404


def test_too_fast_is_too_many(now):
    user = coach()
    device, _ = with_app(user, now)
    TOTPDevice.objects.update(
        throttling_failure_count=3, throttling_failure_timestamp=timezone.now()
    )

    with pytest.raises(limits.TooMany):
        two_factor.check_digits(user, digits=digits(device.key), now=timezone.now())
