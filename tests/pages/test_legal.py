"""Legal texts: filled in, published once, never changed."""

from __future__ import annotations

import hashlib
import re
import threading
from datetime import date, datetime, timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from booking import checkout, scheduling
from coaching_site import periods
from coaching_site.environment import Copying
from coaching_site.periods import NETWORKS
from pages import filling, legal, legal_facts, legal_pdf, offering
from pages.legal import NothingNew, NotWhole, TooEarly
from pages.legal_models import LegalText
from pages.models import Practice

Kind = LegalText.Kind
TODAY = date(2027, 3, 1)


def publish(
    kind: LegalText.Kind = Kind.TERMS,
    *,
    now: datetime,
    valid_from: date = TODAY,
    is_checked: bool = True,
    seen: str = "",
) -> LegalText:
    """Publish what is to be published, having looked at it."""
    source = legal.source_to_edit(kind)
    seen = seen or legal.unpublished(kind, source, Practice.current()).sha256
    return legal.publish(
        kind,
        seen=seen,
        valid_from=valid_from,
        is_checked=is_checked,
        note="",
        by="kim",
        now=now,
    )


def write(source: str, *, now: datetime, kind: LegalText.Kind = Kind.TERMS) -> LegalText:
    return legal.save_draft(kind, source=source, by="kim", now=now)


# --- filling in -------------------------------------------------------------------------------


def test_a_text_is_filled_from_the_practice(whole):
    filled = filling.fill("{{ name }}, {{telefon}}: {{ email }}", whole)

    assert filled.text == "Vorname Nachname, +49 30 1234: hallo@praxis.example\n"
    assert filled.is_whole


def test_what_is_missing_is_named_and_shown(db):
    filled = filling.fill("{{ telefon }} und [Betrag fehlt noch]", Practice())

    assert filled.missing == ("Telefonnummer", "Betrag")
    html = legal.unpublished(Kind.TERMS, "{{ telefon }}", Practice()).html
    assert html == "<p><mark>[Telefonnummer fehlt noch]</mark></p>\n"


def test_a_name_is_never_read_as_markup(whole):
    whole.first_name = "[[cookies]] {{ email }} *Kim* <b>"
    whole.last_name = "1. [x](https://böse.example)"

    html = legal.unpublished(Kind.TERMS, "{{ name }}\n\n[[anbieter]]", whole).html

    assert "[[cookies]] {{ email }} *Kim* &lt;b&gt; 1. [x](https://böse.example)" in html
    assert "<a" not in html
    assert "<b>" not in html
    assert "<table" not in html


@pytest.mark.parametrize(
    "source",
    [
        "{{ nmae }}",
        "{{ }}",
        "[[kekse]]",
        "Siehe [[cookies]].",
        "{{ name | Kim }}",
        "{{ name }",
        "{{ name",
        "[[cookies]",
    ],
)
def test_an_unknown_placeholder_is_refused_at_once(db, now, source):
    with pytest.raises(NotWhole, match="gibt es so nicht"):
        write(source, now=now)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_start_text_can_be_published_once_the_practice_is_whole(whole, kind, settings):
    settings.STRIPE_SECRET_KEY = "sk_test_1"

    assert filling.fill(legal.start_source(kind), whole).is_whole


@pytest.mark.parametrize("block", list(filling.BLOCKS))
def test_every_block_is_used_by_a_start_text(block):
    assert any(f"[[{block}]]" in legal.start_source(kind) for kind in Kind)


def test_the_terms_say_which_tax_the_prices_contain(whole):
    assert "enthalten 19 % Umsatzsteuer" in filling.fill("[[umsatzsteuer]]", whole).text

    whole.vat_mode = Practice.VatMode.SMALL_BUSINESS

    assert "keine Umsatzsteuer" in filling.fill("[[umsatzsteuer]]", whole).text


@pytest.mark.parametrize(
    "promise",
    [
        "Was wir uns durch die Absage ersparen oder mit der frei gewordenen Zeit verdienen, rechnen wir an.",
        "Dein gesetzliches [Widerrufsrecht](/widerruf/) geht vor",
        "was du für noch nicht erbrachte Leistungen vorausbezahlt hast, bekommst du dann zurück.",
        offering.NOT_RECORDED,
        "Rechnungen bekommst du als PDF per E-Mail; damit bist du einverstanden.",
    ],
)
def test_the_terms_keep_what_the_law_promises_a_guest(whole, promise):
    assert promise in legal.start(Kind.TERMS, whole).text


def test_the_terms_allow_the_proof_of_a_lower_damage(whole):
    words = legal.start(Kind.TERMS, whole).text

    proof = "Dir bleibt der Nachweis gestattet, dass kein oder ein wesentlich geringerer Schaden entstanden ist."
    assert proof in words
    assert "Coaching ist keine Psychotherapie und keine Rechts- oder Steuerberatung." in words
    assert "voll auf ihn angerechnet" in words


@pytest.mark.parametrize("kind", [Kind.TERMS, Kind.WITHDRAWAL])
def test_no_paragraph_of_a_law_is_named_where_numbers_change(kind):
    assert "§" not in legal.start_source(kind)


# --- the statutory models ---------------------------------------------------------------------


def test_the_statutory_models_stand_word_for_word(whole):
    words = plain(legal.start(Kind.WITHDRAWAL, whole).html)

    assert words == MODEL


def plain(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


# EGBGB, annexes 1 and 2: services, with the sentence on withdrawing online.
MODEL = " ".join(
    [
        "Widerrufsrecht",
        "Sie",
        "haben",
        "das",
        "Recht,",
        "binnen",
        "vierzehn",
        "Tagen",
        "ohne",
        "Angabe",
        "von",
        "Gründen",
        "diesen",
        "Vertrag",
        "zu",
        "widerrufen.",
        "Die",
        "Widerrufsfrist",
        "beträgt",
        "vierzehn",
        "Tage",
        "ab",
        "dem",
        "Tag",
        "des",
        "Vertragsabschlusses.",
        "Um",
        "Ihr",
        "Widerrufsrecht",
        "auszuüben,",
        "müssen",
        "Sie",
        "uns",
        "(Vorname",
        "Nachname,",
        "Teststraße",
        "1,",
        "10115",
        "Berlin,",
        "+49",
        "30",
        "1234,",
        "hallo@praxis.example)",
        "mittels",
        "einer",
        "eindeutigen",
        "Erklärung",
        "(z.",
        "B.",
        "ein",
        "mit",
        "der",
        "Post",
        "versandter",
        "Brief",
        "oder",
        "eine",
        "E-Mail)",
        "über",
        "Ihren",
        "Entschluss,",
        "diesen",
        "Vertrag",
        "zu",
        "widerrufen,",
        "informieren.",
        "Sie",
        "können",
        "dafür",
        "das",
        "beigefügte",
        "Muster-Widerrufsformular",
        "verwenden,",
        "das",
        "jedoch",
        "nicht",
        "vorgeschrieben",
        "ist.",
        "Sie",
        "können",
        "Ihr",
        "Widerrufsrecht",
        "auch",
        "online",
        "unter",
        "http://localhost:8000/vertrag-widerrufen/",
        "ausüben.",
        "Wenn",
        "Sie",
        "diese",
        "Online-Funktion",
        "nutzen,",
        "übermitteln",
        "wir",
        "Ihnen",
        "auf",
        "einem",
        "dauerhaften",
        "Datenträger",
        "(z.",
        "B.",
        "durch",
        "eine",
        "E-Mail)",
        "unverzüglich",
        "eine",
        "Eingangsbestätigung",
        "mit",
        "Informationen",
        "zum",
        "Inhalt",
        "der",
        "Widerrufserklärung",
        "sowie",
        "dem",
        "Datum",
        "und",
        "der",
        "Uhrzeit",
        "ihres",
        "Eingangs.",
        "Zur",
        "Wahrung",
        "der",
        "Widerrufsfrist",
        "reicht",
        "es",
        "aus,",
        "dass",
        "Sie",
        "die",
        "Mitteilung",
        "über",
        "die",
        "Ausübung",
        "des",
        "Widerrufsrechts",
        "vor",
        "Ablauf",
        "der",
        "Widerrufsfrist",
        "absenden.",
        "Folgen",
        "des",
        "Widerrufs",
        "Wenn",
        "Sie",
        "diesen",
        "Vertrag",
        "widerrufen,",
        "haben",
        "wir",
        "Ihnen",
        "alle",
        "Zahlungen,",
        "die",
        "wir",
        "von",
        "Ihnen",
        "erhalten",
        "haben,",
        "einschließlich",
        "der",
        "Lieferkosten",
        "(mit",
        "Ausnahme",
        "der",
        "zusätzlichen",
        "Kosten,",
        "die",
        "sich",
        "daraus",
        "ergeben,",
        "dass",
        "Sie",
        "eine",
        "andere",
        "Art",
        "der",
        "Lieferung",
        "als",
        "die",
        "von",
        "uns",
        "angebotene,",
        "günstigste",
        "Standardlieferung",
        "gewählt",
        "haben),",
        "unverzüglich",
        "und",
        "spätestens",
        "binnen",
        "vierzehn",
        "Tagen",
        "ab",
        "dem",
        "Tag",
        "zurückzuzahlen,",
        "an",
        "dem",
        "die",
        "Mitteilung",
        "über",
        "Ihren",
        "Widerruf",
        "dieses",
        "Vertrags",
        "bei",
        "uns",
        "eingegangen",
        "ist.",
        "Für",
        "diese",
        "Rückzahlung",
        "verwenden",
        "wir",
        "dasselbe",
        "Zahlungsmittel,",
        "das",
        "Sie",
        "bei",
        "der",
        "ursprünglichen",
        "Transaktion",
        "eingesetzt",
        "haben,",
        "es",
        "sei",
        "denn,",
        "mit",
        "Ihnen",
        "wurde",
        "ausdrücklich",
        "etwas",
        "anderes",
        "vereinbart;",
        "in",
        "keinem",
        "Fall",
        "werden",
        "Ihnen",
        "wegen",
        "dieser",
        "Rückzahlung",
        "Entgelte",
        "berechnet.",
        "Haben",
        "Sie",
        "verlangt,",
        "dass",
        "die",
        "Dienstleistungen",
        "während",
        "der",
        "Widerrufsfrist",
        "beginnen",
        "soll,",
        "so",
        "haben",
        "Sie",
        "uns",
        "einen",
        "angemessenen",
        "Betrag",
        "zu",
        "zahlen,",
        "der",
        "dem",
        "Anteil",
        "der",
        "bis",
        "zu",
        "dem",
        "Zeitpunkt,",
        "zu",
        "dem",
        "Sie",
        "uns",
        "von",
        "der",
        "Ausübung",
        "des",
        "Widerrufsrechts",
        "hinsichtlich",
        "dieses",
        "Vertrags",
        "unterrichten,",
        "bereits",
        "erbrachten",
        "Dienstleistungen",
        "im",
        "Vergleich",
        "zum",
        "Gesamtumfang",
        "der",
        "im",
        "Vertrag",
        "vorgesehenen",
        "Dienstleistungen",
        "entspricht.",
        "Muster-Widerrufsformular",
        "(Wenn",
        "Sie",
        "den",
        "Vertrag",
        "widerrufen",
        "wollen,",
        "dann",
        "füllen",
        "Sie",
        "bitte",
        "dieses",
        "Formular",
        "aus",
        "und",
        "senden",
        "Sie",
        "es",
        "zurück.)",
        "–",
        "An",
        "Vorname",
        "Nachname,",
        "Teststraße",
        "1,",
        "10115",
        "Berlin,",
        "hallo@praxis.example:",
        "–",
        "Hiermit",
        "widerrufe(n)",
        "ich/wir",
        "(*)",
        "den",
        "von",
        "mir/uns",
        "(*)",
        "abgeschlossenen",
        "Vertrag",
        "über",
        "den",
        "Kauf",
        "der",
        "folgenden",
        "Waren",
        "(*)/die",
        "Erbringung",
        "der",
        "folgenden",
        "Dienstleistung",
        "(*)",
        "–",
        "Bestellt",
        "am",
        "(*)/erhalten",
        "am",
        "(*)",
        "–",
        "Name",
        "des/der",
        "Verbraucher(s)",
        "–",
        "Anschrift",
        "des/der",
        "Verbraucher(s)",
        "–",
        "Unterschrift",
        "des/der",
        "Verbraucher(s)",
        "(nur",
        "bei",
        "Mitteilung",
        "auf",
        "Papier)",
        "–",
        "Datum",
        "(*)",
        "Unzutreffendes",
        "streichen.",
    ]
)


# --- publishing -------------------------------------------------------------------------------


def test_until_something_is_published_the_start_text_holds_and_says_it_is_a_draft(whole):
    held = legal.current(Kind.TERMS)

    assert (held.number, held.is_draft) == (0, True)
    assert "Teststraße 1, 10115 Berlin" in held.text


def test_a_published_text_is_frozen_as_readers_saw_it(whole, now):
    write("Ruf an: {{ telefon }}", now=now)
    publish(now=now)

    Practice.objects.update(phone="+49 40 99")
    held = legal.current(Kind.TERMS, today=TODAY)

    assert held.text == "Ruf an: +49 30 1234\n"
    assert held.sha256 == hashlib.sha256(held.text.encode()).hexdigest()
    assert (held.number, held.is_draft) == (1, False)
    assert legal.draft(Kind.TERMS) is None


def test_changed_data_ask_for_a_new_version_and_publishing_again_is_enough(whole, now):
    row = publish(now=now)
    assert not legal.is_outdated(row, whole)

    Practice.objects.update(street="Neue Straße 2")

    assert legal.is_outdated(row, Practice.current())
    assert not legal.is_outdated(publish(now=now), Practice.current())


def test_a_changed_fact_asks_for_a_new_version_too(whole, now, settings):
    settings.STRIPE_SECRET_KEY = ""
    row = publish(Kind.PRIVACY, now=now)

    settings.STRIPE_SECRET_KEY = "sk_test_1"

    assert legal.is_outdated(row, whole)


def test_a_text_with_holes_is_not_published(db, now):
    with pytest.raises(NotWhole, match="Vor- und Nachname"):
        publish(now=now)


def test_nobody_publishes_words_they_have_not_seen(whole, now):
    write("Alt", now=now)
    seen = legal.unpublished(Kind.TERMS, "Alt", whole).sha256
    write("Neu", now=now)

    with pytest.raises(NotWhole, match="inzwischen geändert"):
        publish(now=now, seen=seen)


def test_a_second_click_publishes_nothing(whole, now):
    publish(now=now)

    with pytest.raises(NothingNew):
        publish(now=now)
    assert LegalText.objects.count() == 1


def test_a_version_may_begin_later_and_until_then_the_old_one_holds(whole, now):
    write("Alt", now=now)
    publish(now=now)
    write("Neu", now=now)
    publish(now=now, valid_from=TODAY + timedelta(days=14))

    assert legal.current(Kind.TERMS, today=TODAY + timedelta(days=13)).text == "Alt\n"
    assert legal.current(Kind.TERMS, today=TODAY + timedelta(days=14)).text == "Neu\n"


def test_a_version_never_begins_in_the_past_nor_before_its_forerunner(whole, now):
    with pytest.raises(TooEarly):
        publish(now=now, valid_from=TODAY - timedelta(days=1))
    publish(now=now, valid_from=TODAY + timedelta(days=14))
    write("Neu", now=now)

    with pytest.raises(TooEarly, match="Fassung 1"):
        publish(now=now)


def test_a_lawyers_look_may_come_later(whole, now):
    row = publish(now=now, is_checked=False)
    assert legal.current(Kind.TERMS, today=TODAY).is_draft

    legal.mark_checked(row, now=now)

    assert not legal.current(Kind.TERMS, today=TODAY).is_draft


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE pages_legaltext SET text = 'anders'",
        "UPDATE pages_legaltext SET valid_from = valid_from - 1",
        "UPDATE pages_legaltext SET number = NULL, text = ''",
        "UPDATE pages_legaltext SET checked_at = NULL",
        "UPDATE pages_legaltext SET checked_at = now(), note = 'x'",
        "DELETE FROM pages_legaltext",
    ],
)
def test_the_database_never_lets_a_published_version_change(whole, now, change):
    publish(now=now)

    with (
        pytest.raises(DatabaseError, match="never changes"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(change)


def test_without_the_trigger_it_would_change(whole, now):
    publish(now=now)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE pages_legaltext DISABLE TRIGGER USER")
        cursor.execute("UPDATE pages_legaltext SET text = 'anders'")

    assert LegalText.objects.get().text == "anders"


def test_there_is_one_draft_of_a_text(db, now):
    write("Eins", now=now)
    write("Zwei", now=now)
    assert [row.source for row in LegalText.objects.all()] == ["Zwei"]

    with pytest.raises(IntegrityError, match="pages_legal_text_has_one_draft"):
        LegalText.objects.create(kind=Kind.TERMS, source="Drei", created_by="kim", changed_at=now)


@pytest.mark.django_db(transaction=True)
def test_two_who_publish_at_once_make_one_version(whole, now):
    barrier = threading.Barrier(2)
    outcomes: list[str] = []

    def click() -> None:
        barrier.wait()
        try:
            publish(now=now)
            outcomes.append("published")
        except NothingNew:
            outcomes.append("nothing new")
        finally:
            connection.close()

    threads = [threading.Thread(target=click) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["nothing new", "published"]


# --- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(Kind))
def test_a_version_is_always_the_same_file(whole, now, kind):
    publish(kind, now=now)
    first = legal.pdf(kind, today=TODAY)
    legal._drawn.cache_clear()

    assert legal.pdf(kind, today=TODAY) == first
    assert first.startswith(b"%PDF")


@pytest.mark.parametrize(
    "text",
    [
        "1. eins\n2. {}",
        "- eins\n\n  {}",
        "- eins\n  - {}",
        "- eins\n\n  ```\n  {}\n  ```",
        "```\n{}\n```",
        "    {}",
        "> {}",
        "> - {}",
        "Zeile\\\n{}",
        "Zeile\n{}",
        "Ein `{}` im Satz",
        "[*{}*](/agb/) und [hier](#oben)",
        "| a | b |\n|---|---|\n| eins | {} |",
    ],
)
def test_no_word_of_a_legal_text_is_missing_in_its_file(text, now):
    def drawn(word: str) -> bytes:
        return legal_pdf.draw(
            title="AGB", text=text.format(word), brand="P", made_at=now, state="X", is_draft=False
        )

    assert drawn("Frist") != drawn("Ende")


# --- facts ------------------------------------------------------------------------------------


def test_every_processor_has_its_place_in_the_privacy_notice(whole, settings, client):
    settings.STRIPE_SECRET_KEY = "sk_test_1"
    page = client.get("/datenschutz/").content.decode()

    found = legal_facts.processors(whole)
    assert {each.anchor for each in found} == {"hosting", "mail", "video", "stripe"}
    for processor in found:
        assert f'id="{processor.anchor}"' in page
        assert f'href="#{processor.anchor}"' in page
        assert processor.name in page


def test_who_keeps_backups_is_named_once_they_are_carried_away(whole, settings):
    settings.BACKUP_COPY = Copying(host="backup.example.net")
    assert "[Anbieter des Speichers" in filling.fill("[[auftragsverarbeiter]]", whole).text.replace(
        "\\", ""
    )

    whole.backup_provider = "Speicher, Ort"

    table = filling.fill("[[auftragsverarbeiter]]", whole).text
    assert "| Speicher, Ort | [Aufbewahrung verschlüsselter Sicherungskopien](#hosting) |" in table


def test_the_notice_prints_the_periods_that_drive_the_daily_job(whole):
    table = filling.fill("[[aufbewahrung]]", whole).text

    assert NETWORKS.what not in table
    for period in periods.ALL:
        if period is not NETWORKS:
            assert f"| {period.what} | {period.how_long} | {period.why} |" in table.replace(
                "\\", ""
            )


def test_the_periods_in_the_running_text_are_those_of_the_code(whole):
    notice = filling.fill(legal.start_source(Kind.PRIVACY), whole).text

    assert f"nach {scheduling.HOLD_LIFE.seconds // 60} Minuten" in notice
    assert f"Bezahlseite nach {checkout.PAYING_HOLD_LIFE.seconds // 60} Minuten" in notice
    assert (
        f"Nicht bestätigte Anmeldungen löschen wir nach {periods.UNCONFIRMED.how_long}n" in notice
    )
    assert periods.PROOFS.how_long in notice
