"""The bytes of a mail: cast from one mould, and what Django's own way would give."""

from __future__ import annotations

import email
import email.policy
import uuid
from datetime import UTC, datetime
from email.message import EmailMessage
from html import escape
from urllib.parse import urlsplit

from django.core.mail import EmailMultiAlternatives
from hypothesis import given
from hypothesis import strategies as st

from newsletter import return_paths, tokens
from newsletter.rendering import placeholders
from newsletter.rendering.mould import NOBODY, Mould, Recipient
from newsletter.rendering.placeholders import mark

NOW = datetime(2027, 3, 1, 8, 0, tzinfo=UTC)
PERSON = uuid.UUID("12345678-1234-5678-1234-567812345678")
HELLO = mark("vorname", "du")
WAYS = f"{mark('abmelden')}\n{mark('einstellungen')}"


def recipient(name: str = "", delivery: int | None = 7) -> Recipient:
    return Recipient(delivery, PERSON, 1, "ada@xn--mnchen-3ya.example", name)


def mould(text: str = f"Hallo {HELLO},\n{WAYS}\n", html: str | None = None) -> Mould:
    return Mould(issue=3, subject="Für dich", html=html or f"<p>{text}</p>", text=text)


def read(data: bytes) -> EmailMessage:
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert message.defects == []
    return message


def parts(data: bytes) -> dict[str, str]:
    return {
        part.get_content_subtype(): part.get_content().replace("\r\n", "\n")
        for part in read(data).iter_parts()
    }


def test_both_parts_say_what_djangos_own_way_would_say(now):
    text = f"Grüße an {HELLO}.\n\n.Punkt vorn  \n{'lang ' * 60}\n{'ü' * 90}\n{WAYS}\n"
    html = f"<p>Grüße an {HELLO}</p>\n<p>{'breit=' * 50}</p>\n<a href='{mark('abmelden')}'>x</a>\n"
    mail = mould(text, html).cast(recipient("Jörg <b> Müller"), now=now)
    token = tokens.unsubscribe_token(PERSON, 3)
    values = {
        "vorname": "Jörg",
        "abmelden": f"http://localhost:8000/newsletter/abmelden/{token}/",
        "einstellungen": "http://localhost:8000/newsletter/einstellungen/"
        f"{tokens.preferences_token(PERSON, 1)}/",
    }
    theirs = EmailMultiAlternatives("Für dich", placeholders.fill(text, values))
    theirs.attach_alternative(placeholders.fill(html, values, escape=escape), "text/html")

    assert parts(mail.data) == parts(theirs.message().as_bytes())
    assert read(mail.data)["Subject"] == "Für dich"


def test_no_line_is_longer_than_a_mail_server_must_take_and_none_needs_a_second_dot(now):
    text = f".{'x' * 300}\n{HELLO}. {'ü.' * 200}\n.\n..\n{WAYS}"

    data = mould(text).cast(recipient(".Punkt" * 30), now=now).data

    head, _, body = data.partition(b"\r\n\r\n")
    assert max(map(len, body.split(b"\r\n"))) <= 76
    assert max(map(len, head.split(b"\r\n"))) <= 998
    assert b"\r\n." not in data
    assert data.replace(b"\r\n", b"").count(b"\n") == 0


@given(
    before=st.text(st.characters(blacklist_categories=["Cs", "Co", "Cc"])),
    name=st.text(st.characters(blacklist_categories=["Cs", "Co", "Cc", "Zl", "Zp"])),
    after=st.text(st.sampled_from("a .\t=ü€\n")),
)
def test_whatever_stands_there_arrives(before, name, after):
    text = f"{before}{mark('name', 'niemand')}{after}{HELLO}\n"

    data = mould(text, text).cast(recipient(name), now=NOW).data

    shown = " ".join(name.split())
    expected = f"{before}{shown or 'niemand'}{after}{shown.split(' ')[0] or 'du'}\n"
    assert parts(data)["plain"] == expected
    assert parts(data)["html"] == (
        f"{before}{escape(shown) or 'niemand'}{after}{escape(shown.split(' ')[0]) or 'du'}\n"
    )


def test_a_name_cannot_write_html(now):
    html = f"<p>{HELLO}</p>"

    data = mould(html=html).cast(recipient("<script>alert(1)</script>"), now=now).data

    assert "&lt;script&gt;" in parts(data)["html"]
    assert "<script>" not in parts(data)["html"]


def test_every_mail_carries_the_way_out_its_list_and_one_recipient(now, settings):
    settings.INBOX_ADDRESS = "post@praxis.example"

    mail = mould().cast(recipient(), now=now)

    message = read(mail.data)
    link, mailbox = message["List-Unsubscribe"].split(", ")
    token = urlsplit(link.strip("<>")).path.split("/")[3]
    assert tokens.read_unsubscribe_token(token) == (PERSON, 3)
    assert return_paths.read(mailbox) == (return_paths.Kind.LEAVE, 7)
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["List-Id"] == "<newsletter.localhost>"
    assert message["List-Archive"] == "<http://localhost:8000/newsletter/archiv/>"
    assert message["List-Owner"] == "<mailto:coach@praxis.example>"
    assert message["To"] == mail.recipient == "ada@xn--mnchen-3ya.example"
    assert message["From"] == "Praxis <post@praxis.example>"
    assert message["Reply-To"] == "coach@praxis.example"
    assert return_paths.read(message["Message-ID"]) == (return_paths.Kind.MESSAGE, 7)
    assert return_paths.read(mail.sender) == (return_paths.Kind.BOUNCE, 7)
    assert message["Date"].datetime == now


def test_without_an_inbox_the_link_is_the_only_way_out(now, settings):
    settings.INBOX_ADDRESS = ""

    mail = mould().cast(recipient(), now=now)

    assert read(mail.data)["List-Unsubscribe"].count("<") == 1
    assert mail.sender == "post@praxis.example"


def test_the_same_delivery_gives_the_same_bytes(now):
    assert mould().cast(recipient("Ada"), now=now) == mould().cast(recipient("Ada"), now=now)


def test_a_test_mail_names_no_delivery_and_nobody(now):
    nobody = Recipient(None, NOBODY, 0, "coach@praxis.example")

    first, second = (mould().cast(nobody, now=now) for _ in range(2))

    assert return_paths.read(first.data.decode()) is None
    assert read(first.data)["Message-ID"] != read(second.data)["Message-ID"]
