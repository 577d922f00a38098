"""The roles „Coach“ and „Assistenz“: what each may do, on every page there is."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.test import Client

from booking.models import Booking, Calendar, Deposit, Notification, Refund
from coaching_site.desk import audit, roles
from newsletter.models import Issue, Subscriber
from tests.booking.desk import queries, words
from tests.desk.every_page import every_page
from tests.desk.signing_in import DESK

pytestmark = pytest.mark.usefixtures("clock")
# The sums of `house`, as people and as programs write them.
SUMS = ("319,07", "174,53", "144,54", "103,21", "31907", "17453", "14454", "10321")
# What is offered costs what everybody may read; what somebody paid stands elsewhere.
OFFERS = ("/booking/calltype/",)


def somebody(role: str) -> Client:
    user = User.objects.create_user(role.lower(), is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    browser = Client()
    browser.force_login(user)
    return browser


@pytest.fixture
def assistant(kept) -> Client:
    return somebody(roles.ASSISTANT)


# --- what they hold -----------------------------------------------------------------------------


def test_the_roles_are_made_once_and_put_right_again(db):
    call_command("roles", verbosity=0)
    group = Group.objects.get(name="Assistenz")
    held = set(group.permissions.values_list("codename", flat=True))
    group.permissions.set(Permission.objects.filter(codename="view_invoice"))

    call_command("roles", verbosity=0)

    assert Group.objects.count() == 2
    assert set(group.permissions.values_list("codename", flat=True)) == held


def test_a_role_that_names_an_unknown_table_fails_loudly(db, monkeypatch):
    monkeypatch.setitem(roles.ASSISTANT_MAY, "booking", {"quatsch": ("view",)})

    with pytest.raises(roles.UnknownPermission, match="view_quatsch"):
        roles.keep()


def test_a_coach_may_all_that_an_assistant_may_and_every_own_permission(kept):
    coach, assistant = (
        set(Group.objects.get(name=name).permissions.values_list("codename", flat=True))
        for name in (roles.COACH, roles.ASSISTANT)
    )

    assert assistant < coach
    for own in ("export_data", "erase_person", "refund_deposit", "issue_invoice", "send_issue"):
        assert own in coach - assistant


# --- every page ---------------------------------------------------------------------------------


def test_an_assistant_meets_no_payment_and_no_export_on_any_page(house, assistant):
    every = every_page()
    told, opened = [], 0
    chosen = {"_selected_action": house.pk, "index": 0}
    sure = {"yes": "ja", "confirm": "ja", "file": "ja", "email": "ada@example.org"}
    visits = [
        *((path, None) for _, path in every),
        *(
            (path, {**chosen, "action": action})
            for name, path in every
            if name.endswith("_changelist")
            for action in ("export", "export_files")
        ),
        *((path, sure) for _, path in every),
    ]

    for path, form in visits:
        answer = assistant.get(path) if form is None else assistant.post(path, form)
        opened += answer.status_code == 200
        assert answer.status_code < 500, path
        if "attachment" in answer.get("Content-Disposition", "") or "zip" in answer["Content-Type"]:
            told.append((path, "an export"))
        if not answer["Content-Type"].startswith("text/html") or answer.streaming:
            continue
        page = words(answer)
        told += [(path, word) for word in SUMS if word in page]
        if "€" in page and not any(offer in path for offer in OFFERS):
            told.append((path, "€"))

    assert told == []
    assert opened > 100


def test_the_same_walk_finds_money_and_exports_for_the_coach(house, kept):
    """The walk above would pass if it saw nothing at all."""
    coach = somebody(roles.COACH)
    booking = words(coach.get(f"{DESK}booking/booking/{house.pk}/change/"))
    exported = coach.post(
        f"{DESK}booking/booking/?wann=alle", {"action": "export", "_selected_action": house.pk}
    )

    for word in ("319,07", "174,53", "103,21"):
        assert word in booking
    assert "attachment" in exported["Content-Disposition"]


OPEN = """
    menschen/ booking/booking/ booking/booking/add/ booking/booking/{booking}/absagen/
    booking/calendar/{calendar}/change/ newsletter/issue/add/ newsletter/issue/{issue}/test/
    newsletter/subscriber/{reader}/change/
"""
SHUT = """
    newsletter/issue/{issue}/senden/ newsletter/import/export/ newsletter/import/add/
    booking/deposit/ booking/invoice/ booking/invoice/monat/ booking/withdrawal/ booking/alarm/
    booking/booking/{booking}/erstatten/{deposit}/ booking/booking/{booking}/schlussrechnung/
    desk/personrequest/person/ desk/change/ pages/legaltext/terms/veroeffentlichen/
    pages/practice/1/change/ pages/testimonial/ auth/user/
"""


def test_what_an_assistant_may_open_and_what_not(house, assistant):
    numbers = {
        "calendar": Calendar.objects.get().pk,
        "issue": Issue.objects.get().pk,
        "reader": Subscriber.objects.get().pk,
        "booking": house.pk,
        "deposit": Deposit.objects.get().pk,
    }

    for paths, status in ((OPEN, 200), (SHUT, 403)):
        for path in paths.format(**numbers).split():
            assert assistant.get(f"{DESK}{path}").status_code == status, path


def test_an_assistant_calls_off_a_paid_call_by_the_terms_and_learns_no_sum(house, assistant):
    page = f"{DESK}booking/booking/{house.pk}/absagen/"
    assert "nach den Bedingungen" in words(assistant.get(page))

    said = words(assistant.post(page, {"who": "guest", "back": "terms", "yes": "x"}, follow=True))

    house.refresh_from_db()
    assert (house.status, house.cancelled_by) == ("cancelled", "guest")
    assert "Abgesagt: 1." in said
    assert Refund.objects.count() == 2
    assert "€" not in said


def test_mails_about_money_are_not_named_to_an_assistant(house, assistant, admin_client, now):
    Notification.objects.create(
        booking=house, kind="refund", audience="guest", start=house.start, created_at=now,
        refund=Refund.objects.get(),
    )  # fmt: skip
    for path in (f"booking/booking/{house.pk}/change/", f"menschen/termin/{house.pk}/"):
        assert "Erstattung" in words(admin_client.get(f"{DESK}{path}"))
        assert "Erstattung" not in words(assistant.get(f"{DESK}{path}")), path
    assert queries(assistant, f"{DESK}menschen/termin/{house.pk}/") < 15


def test_who_may_not_send_sees_no_button_for_it(house, assistant, admin_client):
    page = f"{DESK}newsletter/issue/{Issue.objects.get().pk}/change/"

    assert "weiter zum Senden" not in words(assistant.get(page))
    assert "weiter zum Senden" in words(admin_client.get(page))


def test_a_bookings_history_tells_of_its_money_to_whom_it_is_meant_for(
    house, assistant, admin_client
):
    with audit.by("coach"):
        Deposit.objects.update(kept_cents=1001)
        Booking.objects.update(topic="Anderes")
    history = f"{DESK}booking/booking/{house.pk}/history/"

    told, half = words(admin_client.get(history)), words(assistant.get(history))

    assert "behalten in Cent: 0 → 1001" in told
    assert "Worum es geht: geändert" in told
    assert "Worum es geht: geändert" in half
    assert "Cent" not in half


# --- users --------------------------------------------------------------------------------------


def test_a_new_user_gets_a_role_in_plain_german(admin_client, kept):
    add = f"{DESK}auth/user/add/"
    shown = words(admin_client.get(add))
    assert "Password" not in shown
    for word in ("Rolle", "Assistenz: Kalender, Termine, Menschen", "Coach: alles"):
        assert word in shown

    group = Group.objects.get(name="Assistenz")
    password = "zwei lange Woerter"
    form = {
        "username": "hilfe",
        "password1": password,
        "password2": password,
    }
    admin_client.post(add, {**form, "groups": [group.pk]})

    user = User.objects.get(username="hilfe")
    assert (user.is_staff, list(user.groups.all())) == (True, [group])
    page = words(admin_client.get(f"{DESK}auth/user/{user.pk}/change/"))
    for word in ("user_permissions", "Reset password", "Raw passwords", "argon2"):
        assert word not in page
    assert "Darf sich hier anmelden" in page
    renewed = f"{DESK}auth/user/{user.pk}/password/"
    assert "Password" not in words(admin_client.get(renewed))
    new = "drei lange Woerter"
    admin_client.post(renewed, {"password1": new, "password2": new, "set-password": "x"})
    user.refresh_from_db()
    assert user.check_password(new)
    assert ">Assistenz<" in words(admin_client.get(f"{DESK}auth/user/"))


def test_who_has_a_role_takes_over_nobody_who_may_everything(kept, admin_user):
    coach = somebody(roles.COACH)

    page = f"{DESK}auth/user/{admin_user.pk}"
    assert coach.post(f"{page}/password/", {}).status_code == 403
    assert coach.post(f"{page}/delete/", {"post": "yes"}).status_code == 403
    own = User.objects.get(username="coach")
    coach.post(
        f"{DESK}auth/user/{own.pk}/change/",
        {
            "username": "coach",
            "is_superuser": "on",
            "is_active": "on",
            "is_staff": "on",
            "groups": [Group.objects.get(name="Coach").pk],
        },
    )
    own.refresh_from_db()
    assert (own.is_superuser, own.is_staff) == (False, True)
