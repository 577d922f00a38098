"""An issue at the coach's desk: written, mended, looked at, and by whom; nothing lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from newsletter.models import (
    Edition,
    Issue,
    Tag,
)
from tests.newsletter.issue_desk import ISSUES, PRACTICE, TEXT, of, page, typed, written

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_files")]


# --- writing --------------------------------------------------------------------------------------


def test_an_empty_desk_says_how_to_begin(admin_client):
    shown = page(admin_client.get(ISSUES))

    assert "Noch keine Ausgabe. Fang mit" in shown
    assert "Neue Ausgabe" in shown


def test_an_issue_is_written_and_its_address_made_from_the_subject(admin_client):
    issue = written(admin_client)

    assert (issue.slug, issue.status, issue.in_archive) == ("fuehren-auf-abstand", "draft", True)
    assert issue.body == TEXT
    assert "Führen auf Abstand" in page(admin_client.get(ISSUES))


def test_two_issues_of_one_name_get_two_addresses(admin_client):
    written(admin_client)

    assert written(admin_client).slug == "fuehren-auf-abstand-2"
    assert written(admin_client, subject="Führen auf Abstand!").slug == "fuehren-auf-abstand-3"
    assert written(admin_client, subject="!!!").slug == "ausgabe"


def test_an_address_somebody_else_has_is_refused_and_the_text_kept(admin_client):
    written(admin_client)

    answer = admin_client.post(
        f"{ISSUES}add/", typed(slug="fuehren-auf-abstand", subject="Etwas anderes")
    )

    assert "Diese Adresse hat schon eine andere Ausgabe" in page(answer)
    assert "heute geht es um *Delegation*" in page(answer)
    assert Issue.objects.count() == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"subject": ""}, "Schreib einen Betreff."),
        ({"subject": "x" * 151}, "höchstens 150 Zeichen"),
        ({"preheader": "x" * 151}, "höchstens 150 Zeichen"),
        ({"slug": "mit leerzeichen"}, "Nur Buchstaben, Ziffern und Bindestriche"),
        ({"slug": "x" * 81}, "höchstens 80 Zeichen"),
        ({"tags": ["99999"]}, "Dieses Schlagwort gibt es nicht mehr."),
        ({"tags": ["x"]}, "Dieses Schlagwort gibt es nicht."),
        ({"body": "Wort\0"}, "Nullzeichen"),
        ({"body": "x" * 200_001}, "höchstens 200000 Zeichen"),
    ],
)
def test_what_cannot_be_kept_comes_back_as_it_was_typed(admin_client, wrong, words):
    answer = admin_client.post(f"{ISSUES}add/", {**typed(subject="Behalten"), **wrong})

    assert answer.status_code == 200
    assert words in page(answer)
    assert ("Behalten" in page(answer)) == ("subject" not in wrong)
    if "body" not in wrong:
        assert "heute geht es um *Delegation*" in page(answer)
    assert Issue.objects.count() == 0


def test_a_second_tab_never_writes_over_the_first_unseen(admin_client):
    issue = written(admin_client)
    old = typed(issue, body="Aus dem zweiten Tab")
    admin_client.post(of(issue), typed(issue, body="Aus dem ersten Tab"))

    answer = admin_client.post(of(issue), old)

    assert "inzwischen an anderer Stelle gespeichert" in page(answer)
    assert "Aus dem ersten Tab" in page(answer)
    assert "Aus dem zweiten Tab" in page(answer)
    issue.refresh_from_db()
    assert issue.body == "Aus dem ersten Tab"

    admin_client.post(of(issue), {**old, "version": issue.changed_at.isoformat()})

    issue.refresh_from_db()
    assert issue.body == "Aus dem zweiten Tab"


@pytest.mark.parametrize(
    "version", ["", "gestern", "2027-03-01T09:00:00", "0001-01-01T00:00:00+00:00"]
)
def test_a_version_nobody_knows_overwrites_nothing(admin_client, version):
    issue = written(admin_client)

    answer = admin_client.post(of(issue), typed(issue, body="Neu", version=version))

    assert "inzwischen an anderer Stelle gespeichert" in page(answer)
    issue.refresh_from_db()
    assert issue.body == TEXT


def test_the_button_says_where_one_goes_after_saving(admin_client):
    issue = written(admin_client)

    looked = admin_client.post(of(issue), typed(issue, _preview="1"))
    sent = admin_client.post(of(issue), typed(issue, _send="1"))

    assert looked["Location"] == of(issue, "vorschau")
    assert sent["Location"] == of(issue, "senden")


def test_only_a_draft_is_written_on_and_what_was_typed_stays(admin_client):
    issue = written(admin_client)
    old = typed(issue, body="Zu spät getippt")
    Issue.objects.update(status="scheduled", send_at=timezone.now() + timedelta(days=1))

    answer = admin_client.post(of(issue), old)

    assert "kein Entwurf mehr. Nimm sie erst zurück" in page(answer)
    assert "Zu spät getippt" in page(answer)
    issue.refresh_from_db()
    assert issue.body == TEXT


def test_tags_say_how_many_they_reach(admin_client, reader):
    tag = Tag.objects.create(name="Berlin")
    reader.tags.add(tag)
    Tag.objects.create(name="Bonn")
    issue = written(admin_client, tags=[tag.pk])

    shown = page(admin_client.get(of(issue)))

    assert "Berlin (1)" in shown
    assert "Bonn (0)" in shown
    assert "Geht zurzeit an <strong>1</strong> Person." in shown
    assert list(issue.tags.all()) == [tag]
    assert "Berlin" in page(admin_client.get(ISSUES))


def test_a_draft_can_be_thrown_away_and_nothing_later(admin_client, issue_sent):
    draft = written(admin_client)

    admin_client.post(of(draft, "delete"), {"post": "yes"})

    assert admin_client.post(of(issue_sent, "delete"), {"post": "yes"}).status_code == 403
    assert list(Issue.objects.all()) == [issue_sent]


# --- mending --------------------------------------------------------------------------------------


def test_after_sending_only_the_archive_is_mended(admin_client, issue_sent):
    version = issue_sent.changed_at.isoformat()
    shown = page(admin_client.get(of(issue_sent, "archivfassung")))
    assert "die verschickten E-Mails bleiben, wie sie waren" in shown

    words = {"subject": "Die erste", "body": "So ist es.", "in_archive": "on", "version": version}
    answer = admin_client.post(of(issue_sent, "archivfassung"), words)

    assert answer["Location"] == of(issue_sent)
    issue_sent.refresh_from_db()
    assert (issue_sent.body, issue_sent.status) == ("So ist es.", "sent")
    assert "kein Entwurf mehr" in page(admin_client.post(of(issue_sent), typed(issue_sent)))


def test_two_who_mend_do_not_undo_each_other(admin_client, issue_sent):
    words = {"subject": "Die erste", "in_archive": "on"}
    words["version"] = issue_sent.changed_at.isoformat()
    admin_client.post(of(issue_sent, "archivfassung"), {**words, "body": "Die eine"})

    answer = admin_client.post(of(issue_sent, "archivfassung"), {**words, "body": "Die andere"})

    assert "Die eine" in page(answer)
    assert "Die andere" in page(answer)
    issue_sent.refresh_from_db()
    assert issue_sent.body == "Die eine"


def test_a_draft_has_no_archive_to_mend(admin_client):
    issue = written(admin_client)

    answer = admin_client.get(of(issue, "archivfassung"), follow=True)

    assert "noch nicht verschickt" in page(answer)


# --- looking --------------------------------------------------------------------------------------


def test_the_preview_shows_the_mail_with_a_name_and_without(admin_client, practice):
    practice(**PRACTICE)
    issue = written(admin_client)

    assert "Hallo Vera," in page(admin_client.get(of(issue, "vorschau")))
    assert "Hallo zusammen," in page(admin_client.get(of(issue, "vorschau") + "?name="))
    frame = admin_client.get(of(issue, "vorschau/mail") + "?name=<b>Ada")
    assert "Hallo &lt;b&gt;Ada," in page(frame)


def test_the_frame_may_show_styles_and_pictures_and_run_nothing(admin_client):
    issue = written(admin_client)

    frame = admin_client.get(of(issue, "vorschau/mail"))
    around = admin_client.get(of(issue, "vorschau"))

    policy = frame["Content-Security-Policy"]
    assert "script-src 'none'" in policy
    assert "style-src 'unsafe-inline'" in policy
    assert "frame-ancestors 'self'" in policy
    assert frame["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-src 'self'" in around["Content-Security-Policy"]
    assert "unsafe-inline" not in around["Content-Security-Policy"]
    assert 'sandbox="allow-same-origin allow-popups"' in page(around)


def test_dark_is_shown_whatever_the_browser_likes(admin_client):
    issue = written(admin_client)

    light = page(admin_client.get(of(issue, "vorschau/mail")))
    dark = page(admin_client.get(of(issue, "vorschau/mail") + "?dunkel=ja"))

    assert "prefers-color-scheme: dark" not in light + dark
    assert "@media (max-width: 0)" in light
    assert "@media (min-width: 0)" in dark


def test_the_preview_of_a_sent_issue_shows_what_was_sent(admin_client, issue_sent, now):
    Edition.objects.create(
        issue=issue_sent, subject="Damals", html="<p>Damals</p>", text="Damals so", built_at=now
    )

    assert "Damals so" in page(admin_client.get(of(issue_sent, "vorschau")))
    assert "<p>Damals</p>" in page(admin_client.get(of(issue_sent, "vorschau/mail")))


# --- who may --------------------------------------------------------------------------------------


POSTS = ["change", "archivfassung", "test", "links", "senden", "tun", "abbrechen", "ungewiss"]


@pytest.mark.parametrize("what", POSTS)
def test_whoever_may_only_look_changes_nothing(client, django_user_model, admin_client, what):
    issue = written(admin_client)
    before = Issue.objects.values().get()
    helper = django_user_model.objects.create_user("hilfe", is_staff=True)
    client.force_login(helper)
    assert client.get(of(issue)).status_code == 403
    assert client.get(of(issue, "vorschau")).status_code == 403

    helper.user_permissions.add(Permission.objects.get(codename="view_issue"))

    assert client.get(of(issue)).status_code == 200
    assert client.get(of(issue, "vorschau")).status_code == 200
    assert client.post(of(issue, what), typed(issue, email="a@b.example")).status_code == 403
    assert client.get(f"{ISSUES}add/").status_code == 403
    assert Issue.objects.values().get() == before


@pytest.mark.parametrize("what", [*POSTS, "vorschau", "vorschau/mail", "delete"])
def test_looking_changes_nothing(admin_client, mailbox, what):
    issue = written(admin_client)
    before = Issue.objects.values().get()

    answer = admin_client.get(of(issue, what))

    assert answer.status_code in (200, 302, 405)
    assert Issue.objects.values().get() == before
    assert mailbox.messages == []


def test_nobody_reaches_an_issue_without_signing_in(client, admin_client):
    issue = written(admin_client)

    for what in [*POSTS, "vorschau", "vorschau/mail"]:
        assert client.get(of(issue, what))["Location"].startswith("/verwaltung/login")


@pytest.mark.parametrize(
    "path",
    [
        "issue/99999999999999999999/senden/",
        "issue/99999999999999999999/change/",
        "issue/abc/change/",
        "issue/?status__exact=x",
        "issue/?q=%00",
        "issue/?p=x",
        "picture/0/change/",
        "picture/?q=%ff",
        "delivery/?issue__id__exact=abc",
        "delivery/?p=99999",
        "delivery/?q=%F0%9F%98%80",
        "delivery/?complained_at__isempty=2",
        "pace/2/change/",
        "feedback/?kind__exact=x",
    ],
)
def test_an_address_nobody_meant_is_no_error_of_ours(admin_client, path):
    answer = admin_client.get(f"/verwaltung/newsletter/{path}", follow=True)

    assert answer.status_code in (200, 400, 404)


@pytest.mark.parametrize("name", ["%00", "%ff%fe", "x" * 5000, "{{ vorname }}", "%EE%80%80vorname"])
def test_any_name_may_be_looked_at(admin_client, name):
    issue = written(admin_client)

    for what in ("vorschau", "vorschau/mail"):
        assert admin_client.get(of(issue, what) + f"?name={name}").status_code == 200


def test_any_deed_may_be_sent(admin_client):
    issue = written(admin_client)

    for deed in ({}, {"unknown": "1"}, {"pause": "1", "resume": "1"}, {"take_back": ""}):
        answer = admin_client.post(of(issue, "tun"), deed)
        assert answer["Location"] == of(issue)
    issue.refresh_from_db()
    assert issue.status == "draft"
