"""What this site says about itself is true: no number without a source, no haste, no seal, no course."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from pages import filling, legal, offering, wording
from pages.legal_models import LegalText
from pages.models import Practice
from tests.test_house import ROOMS, ROOT

COMMENT = re.compile(r"\{#.*?#\}|\{% comment %\}.*?\{% endcomment %\}", re.DOTALL)
TAG = re.compile(r"<style.*?</style>|<[^>]+>|\{\{.*?\}\}", re.DOTALL)
# The coach's own side (the two last tell of a server's certificate), and what names such words.
NOT_PUBLIC = ("admin", "management", "migrations", "local", "busy_feeds", "dead_links")
LISTS = ("wording", "offering")


def templates() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "templates").rglob("*.*")):
        name = str(path.relative_to(ROOT))
        if "templates/admin" not in name:
            yield name, TAG.sub(" ", COMMENT.sub(" ", path.read_text("utf-8")))


def start_texts() -> Iterator[tuple[str, str]]:
    """Papers filled in, as visitors read them."""
    for kind in LegalText.Kind:
        yield kind.value, filling.fill(legal.start_source(kind), Practice()).text


def strings_of_code() -> Iterator[tuple[str, str]]:
    """Every string of the modules that speak to visitors, and what an empty site begins with."""
    paths = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    for path in paths:
        name = str(path.relative_to(ROOT))
        is_public = not any(word in name for word in (*NOT_PUBLIC, *LISTS))
        is_public = is_public or path.stem == "demo_data"
        if is_public:
            yield name, "\n".join(_strings(ast.parse(path.read_text("utf-8"))))


def _strings(tree: ast.Module) -> Iterator[str]:
    documentation = {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or node in documentation:
            continue
        if isinstance(node.value, str):
            yield node.value


EVERYWHERE = (templates, start_texts, strings_of_code)


@pytest.mark.parametrize("source", EVERYWHERE, ids=lambda source: source.__name__)
def test_no_word_of_ours_hurries_greens_teaches_or_heals(source, settings):
    settings.STRIPE_SECRET_KEY = "sk_test_1"

    found = {name: list(wording.doubts(text)) for name, text in source()}

    assert {name: doubts for name, doubts in found.items() if doubts} == {}


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        (wording.SCARCITY, "Nur noch 2 Plätze frei"),
        (wording.SCARCITY, "Sei schnell: die letzte Chance"),
        (wording.SCARCITY, "3 freie Termine"),
        (wording.ENVIRONMENT, "Klimaneutral gehostet"),
        (wording.ENVIRONMENT, "Wir betreiben grünes Hosting."),
        (wording.ENVIRONMENT, "CO₂-neutral"),
        (wording.COURSE, "Sechs Module mit Lernvideos"),
        (wording.COURSE, "Am Ende bekommst du ein Zertifikat."),
        (wording.COURSE, "Der Video\u00adkurs zum Nachsehen"),
        (wording.COURSE, f"{offering.NO_COURSE} Nur die Aufzeichnung."),
        (wording.PROMISE, "Coaching, das heilt"),
        (wording.PROMISE, "mit Erfolgsgarantie"),
    ],
)
def test_the_list_of_words_bites(claim, text):
    assert claim.claim in {doubt.claim for doubt in wording.doubts(text)}


@pytest.mark.parametrize(
    "text",
    [
        offering.NO_COURSE,
        offering.NOT_RECORDED,
        offering.NO_THERAPY,
        "Kurz gesagt: Konkurs, Exkurs",
    ],
)
def test_to_deny_something_is_not_to_claim_it(text):
    assert list(wording.doubts(text)) == []


# --- numbers ----------------------------------------------------------------------------------

NUMBER = re.compile(
    r"\d{2,}\s?(?:\+|%|€)?|\d\s?(?:\+|%)|\b(?:tausende?|hunderte?|dutzende?)\b", re.I
)
# Of others, never of the coach: the developers and the money VPs decide about.
IN_THE_COPY = {"Hunderte"}


def test_no_number_that_advertises_is_written_into_landing_and_offer():
    written = {
        found
        for name, text in templates()
        if name.startswith(("templates/landing/", "templates/pages/", "templates/_partials/"))
        for found in NUMBER.findall(re.sub(r"\{%.*?%\}", " ", text))
    }

    assert written == IN_THE_COPY


def test_a_count_of_free_times_is_always_counted():
    """Wherever a template says how many are free, a variable says it."""
    spoken = re.compile(r"(\S+)\s+freie (?:Zeit|Zeiten|Termine|Plätze)\b")
    paths = (ROOT / "templates").rglob("*.html")

    before = {
        word
        for path in paths
        for word in spoken.findall(re.sub(r"<[^>]+>", " ", path.read_text("utf-8")))
    }

    assert "}}" in before
    assert [word for word in before if word.isdigit()] == []


# --- the service ------------------------------------------------------------------------------


def test_the_service_is_live_one_to_one_and_individual():
    for property_of_it in ("Einzelcoaching", "live", "1:1", "individuell"):
        assert property_of_it in offering.KIND


@pytest.mark.parametrize(
    ("kind", "sentences"),
    [
        (
            LegalText.Kind.TERMS,
            (offering.KIND, offering.NO_COURSE, offering.NOT_RECORDED, offering.NO_THERAPY),
        ),
        (LegalText.Kind.PRIVACY, (offering.NOT_RECORDED,)),
        (LegalText.Kind.IMPRINT, (offering.KIND,)),
    ],
)
def test_the_papers_say_what_is_sold_in_the_same_words(kind, sentences):
    text = filling.fill(legal.start_source(kind), Practice()).text

    assert [sentence for sentence in sentences if sentence not in text.replace("\\", "")] == []


@pytest.mark.django_db
def test_the_offer_says_what_is_sold_and_what_it_is_not(client):
    page = client.get("/angebot/").content.decode()

    for sentence in (offering.KIND, offering.NOT_RECORDED, offering.NO_THERAPY):
        assert sentence in page


# --- what a service must tell (DL-InfoV) ------------------------------------------------------


def test_insurance_and_associations_stand_in_the_imprint_once_they_are_given(db, client):
    practice = Practice.objects.create(pk=1)
    bare = client.get("/impressum/").content.decode()

    practice.insurer = "Versicherung AG\nHafenweg 1, 20457 Hamburg"
    practice.insurance_scope = "Deutschland und EU"
    practice.associations = "Verband der Coachs, Ethikregeln unter verband.example/regeln"
    practice.save()
    told = client.get("/impressum/").content.decode()

    assert "Berufshaftpflicht" not in bare
    assert "Verbände" not in bare
    for words in ("Versicherung AG", "Hafenweg 1, 20457 Hamburg", "Deutschland und EU"):
        assert words in told
    assert "verband.example/regeln" in told
    assert "<mark>" not in told.split("Berufshaftpflicht")[1]
