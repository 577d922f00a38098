"""What is read as a list, and what is refused with a sentence instead of an error page."""

from __future__ import annotations

import csv
import io
import struct
import zipfile
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from newsletter import addresses, portable
from newsletter.errors import ImportRefused
from newsletter.imports import columns, files, quick_addresses, running, times
from newsletter.imports.files import PieceStream, Records
from newsletter.models import Import
from tests.newsletter.conftest import ADA
from tests.newsletter.import_tools import bring, csv_bytes, lines, upload, zipped

# --- reading back what was written ----------------------------------------------------------

ENCODINGS = ["utf-8-sig", "utf-8", "cp1252", "utf-16", "utf-16-le", "utf-16-be"]
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff\r"), max_size=30)
TABLE = st.lists(st.lists(TEXT, min_size=2, max_size=6), min_size=1, max_size=12)


def written(table, delimiter, end, encoding):
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows(table)
    marks = {"utf-16-le": "\ufeff", "utf-16-be": "\ufeff"}
    return (marks.get(encoding, "") + text.getvalue()).encode(encoding)


def read(data: bytes, delimiter: str, encoding: str, piece: int = 7) -> list[files.Record]:
    stream = PieceStream(data[at : at + piece] for at in range(0, len(data), piece))
    return list(Records(files.text_lines(stream, encoding), delimiter))


@given(
    table=TABLE,
    delimiter=st.sampled_from(list(files.DELIMITERS)),
    end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(ENCODINGS),
    piece=st.integers(1, 50),
)
@settings(deadline=None)
def test_any_table_is_read_back_as_it_was_written(table, delimiter, end, encoding, piece):
    try:
        data = written(table, delimiter, end, encoding)
    except UnicodeEncodeError:  # what Windows-1252 cannot write, it cannot bring along
        table = [
            [cell.encode("cp1252", "ignore").decode("cp1252") for cell in row] for row in table
        ]
        data = written(table, delimiter, end, encoding)
    guess = files.EncodingGuess()
    guess.feed(data)
    encoding = guess.result() if encoding.startswith("utf") else encoding

    records = read(data, delimiter, encoding, piece)

    assert [record.cells for record in records] == table
    assert not any(record.problem for record in records)


@given(cell=st.text(max_size=40))
@example("'=1")
@example("''=1")
@example("=1")
@example("'")
def test_a_protected_cell_is_given_back_unharmed(cell):
    protected = portable.protect(cell)

    assert not protected.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert portable.unprotect(protected) == cell


WORDS = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cc"]),
    min_size=1,
    max_size=20,
).map(lambda word: " ".join(word.split()))


@given(tags=st.lists(WORDS.filter(bool), max_size=6))
def test_tags_are_read_back_as_they_were_joined(tags):
    assert portable.split_tags(portable.join_tags(tags)) == tags


@pytest.mark.parametrize("delimiter", list(files.DELIMITERS))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_delimiter_and_encoding_are_guessed(delimiter, encoding):
    table = [["E-Mail", "Name", "Ort"], [ADA, "Müller; Jörg, Dr.", "x"], ["b@x.example", "", ""]]
    data = written(table, delimiter, "\r\n", encoding)
    guess = files.EncodingGuess()
    guess.feed(data)

    found = files.guess_delimiter(data, guess.result(), columns.known_headings())

    assert found == delimiter


def test_the_only_umlaut_at_the_files_end_counts():
    guess = files.EncodingGuess()
    for piece in (b"E-Mail\n" * 1000, b"M\xfcller\n"):
        guess.feed(piece)

    assert guess.result() == "cp1252"


def test_a_character_split_between_pieces_is_one():
    data = written([["E-Mail", "Name"], [ADA, "Jörg 🚀"]], ";", "\r\n", "utf-8")

    assert read(data, ";", "utf-8-sig", piece=1)[1].cells == [ADA, "Jörg 🚀"]


def test_excels_separator_line_is_no_heading(db, now):
    run = upload(b"sep=;\r\nE-Mail;Name\r\n" + f"{ADA};Ada\r\n".encode(), now)

    assert running.headings(run.files.get()) == ["E-Mail", "Name"]


def test_an_open_quote_costs_its_own_line_alone():
    lines = ["a,b", 'c,"d', *[f"x{number},y" for number in range(500)]]
    data = "".join(f"{line}\n" for line in lines).encode()

    records = read(data, ",", "utf-8", piece=4096)

    assert [record.line for record in records if record.problem] == [2]
    assert len(records) == len(lines)
    assert [record.line for record in records] == list(range(1, len(lines) + 1))


def test_a_cell_longer_than_any_name_costs_its_own_line_alone():
    data = f"a,b\nx,{'y' * 200_000}\nc,d\n".encode()

    records = read(data, ",", "utf-8", piece=4096)

    assert [bool(record.problem) for record in records] == [False, True, False]


# --- headings -------------------------------------------------------------------------------

E, F, L, N = "email", "first_name", "last_name", "name"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            "Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,LEID,TAGS",
            "email,first_name,last_name,,requested_at,requested_ip,confirmed_at,confirmed_ip,,tags",
        ),
        ("Deine E-Mail Adresse,Vorname,Nachname,UNSUB_TIME", "email,first_name,last_name,left_at"),
        ("Email Address,CLEAN_TIME", "email,barred_at"),
        (
            "email,active_subscription,expiry,email_disabled,prefer_digests,created_at",
            "email,,,is_off,,created_at",
        ),
        (
            "id,email,name,note,subscribed_to_emails,complimentary_plan,created_at,deleted_at,labels,tiers",
            ",email,name,,is_on,,created_at,deleted_at,tags,",
        ),
        (
            "id,secondary_id,email,notes,subscriber_type,creation_date,ip_address,unsubscription_date,tags,metadata",
            ",,email,,status,created_at,requested_ip,left_at,tags,",
        ),
        ("uuid,email,name,attributes,status,created_at", ",email,name,,status,created_at"),
        (
            "email,First Name,Last Name,status,tier,created_at,unsubscribed_at",
            "email,first_name,last_name,status,,created_at,left_at",
        ),
        ("Email,External ID,First name,Last name,Status", "email,,first_name,last_name,status"),
        ("Email Address,Subscribed at,UTM Source", "email,created_at,"),
        ("email,first_name,state,tags", "email,first_name,status,tags"),
        (
            "E-Mail,Vorname,Nachname,Status,Abgemeldet am",
            "email,first_name,last_name,status,left_at",
        ),
        ("Adresse e-mail,Prénom", "email,"),
    ],
)
def test_the_headings_of_the_tools_are_known(header, expected):
    headings = header.split(",")
    meant = {h: m for h, m in zip(headings, expected.split(","), strict=True) if m}

    assert columns.guess(headings) == meant


def test_two_columns_of_one_name_are_told_apart():
    assert columns.unique_headings(["Name", "", "Name", ""]) == [
        "Name",
        "Spalte 2",
        "Name (2)",
        "Spalte 4",
    ]


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2023-04-21 11:16:57", "2023-04-21T11:16:57+00:00"),
        ("2023-03-24 10:23:10 UTC", "2023-03-24T10:23:10+00:00"),
        ("2023-04-21T11:16:57.123Z", "2023-04-21T11:16:57.123000+00:00"),
        ("2023-04-21T11:16:57+02:00", "2023-04-21T09:16:57+00:00"),
        ("2023-04-21", "2023-04-21T00:00:00+00:00"),
        ("21.04.2023 11:16", "2023-04-21T09:16:00+00:00"),
        ("21.04.2023", "2023-04-20T22:00:00+00:00"),
        ("4/3/2024", None),
        ("31.02.2024", None),
        ("gestern", None),
        ("0000-00-00 00:00:00", None),
        ("1970-01-01 00:00:00", None),
        ("9999-12-31T23:59:59-12:00", None),
    ],
)
def test_times_are_read_as_they_are_meant(text, utc):
    moment = times.parse(text)

    assert (moment.isoformat() if moment else None) == utc


# --- addresses ------------------------------------------------------------------------------

LOCAL = st.text("abcXYZ019._+-!'#%~ äß@\"", min_size=1, max_size=70)
DOMAIN = st.lists(st.text("abzAZ09-ß.x", max_size=70), max_size=5).map(".".join)
LIKELY = st.builds(
    lambda local, domain, end: f"{local}@{domain}.{end}",
    st.sampled_from(["info", "Max.Muster", "a..b", "x" * 64, "x" * 65, "POSTMASTER", "a+b", ".a"]),
    st.sampled_from(
        [
            "firma",
            "xn--mnchen-3ya",
            "a--b",
            "-a",
            "a-",
            "1",
            "A.B-c",
            "x" * 63,
            "x" * 64,
            ("a" * 60 + ".") * 4 + "b",
        ]
    ),
    st.sampled_from(
        ["de", "DE", "test", "Local", "localhost", "arpa", "c0m", "x-y", "1", "", "example"]
    ),
)


def parsed(parse, text):
    try:
        return parse(text)
    except addresses.NotAnAddress:
        return None


@given(text=st.one_of(LIKELY, st.builds("{}@{}".format, LOCAL, DOMAIN), st.text(max_size=40)))
@settings(deadline=None, max_examples=500)
@example("info@firma.de")
@example(" Ada@Firma.De\n")
@example("a@b.c-d")
def test_the_quick_way_says_what_the_library_says(text):
    assert parsed(quick_addresses.parse, text) == parsed(addresses.parse, text)


def test_plain_addresses_are_not_asked_of_the_library(monkeypatch):
    monkeypatch.setattr(addresses, "parse", None)

    assert (
        quick_addresses.parse("Max.Muster+x@Firma-1.Example").key == "max.muster+x@firma-1.example"
    )


# --- refused --------------------------------------------------------------------------------

pytest_db = pytest.mark.django_db


def refused(data: bytes, now, name: str = "liste.csv") -> str:
    with pytest.raises(ImportRefused) as caught:
        upload(data, now, name)
    assert Import.objects.count() == 0
    return caught.value.message


@pytest_db
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "leer"),
        (b"E-Mail\n\0\0\0\n", "keine Textdatei"),
        (bytes(range(256)) * 50, "keine Textdatei"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "alte Excel-Datei"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"PK\x03\x04 not really", "beschädigt"),
    ],
)
def test_what_is_no_list_is_refused_in_words(now, data, words):
    assert words in refused(data, now)


@pytest_db
def test_a_file_larger_than_a_list_is_refused(now, monkeypatch):
    monkeypatch.setattr(files, "MAX_BYTES", 3 * files.MEGABYTE)

    assert "zu groß" in refused(b"a@b.example\n" * 300_000, now)


@pytest_db
@pytest.mark.parametrize(
    "name", ["../../x.csv", "/etc/x.csv", "..\\x.csv", "C:\\x.csv", "a/../x.csv"]
)
def test_a_path_that_leads_out_of_the_zip_is_refused(now, name):
    assert "hinausführt" in refused(zipped({name: csv_bytes("E-Mail", ADA)}), now)


@pytest_db
def test_a_zip_bomb_is_refused(now):
    assert "stark gepackt" in refused(zipped({"x.csv": b"0" * (30 * files.MEGABYTE)}), now)


@pytest_db
def test_a_zip_that_lies_about_its_size_is_refused(now, monkeypatch):
    monkeypatch.setattr(files, "MAX_BYTES", 2 * files.MEGABYTE)
    honest = zipped({"x.csv": b"a@b.example\n" * 300_000})
    size = struct.pack("<I", 12 * 300_000)
    lying = honest.replace(size, struct.pack("<I", 1000))
    assert lying != honest

    refused(lying, now)


@pytest_db
def test_a_zip_in_a_zip_is_refused(now):
    inner = zipped({"x.csv": csv_bytes("E-Mail", ADA)})

    assert "etwas anderes" in refused(zipped({"x.zip": inner}), now)
    assert "ZIP-Datei in der ZIP-Datei" in refused(zipped({"x.csv": inner}), now)


@pytest_db
def test_an_encrypted_zip_is_refused(now):
    data = bytearray(zipped({"x.csv": csv_bytes("E-Mail", ADA)}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1

    assert "verschlüsselt" in refused(bytes(data), now)


@pytest_db
def test_an_odd_packing_is_refused(now):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x.csv", csv_bytes("E-Mail", ADA))

    assert "niemand liest" in refused(packed.getvalue(), now)


@pytest_db
def test_too_many_files_in_a_zip_are_refused(now):
    many = {f"{number}.csv": b"x" for number in range(30)}

    assert "zu viele" in refused(zipped(many), now)


@pytest_db
def test_an_empty_zip_and_a_broken_one_are_refused(now):
    assert "keine Datei" in refused(zipped({}), now)
    whole = zipped({"x.csv": csv_bytes("E-Mail", *[f"a{n}@b.example" for n in range(999)])})
    assert "beschädigt" in refused(whole[:40] + b"\xff" * 40 + whole[80:], now)
    assert "beschädigt" in refused(whole[:-30], now, "x.zip")


@pytest_db
def test_what_packers_add_by_themselves_is_no_obstacle(now):
    data = zipped({"a/x.csv": csv_bytes("E-Mail", ADA), "__MACOSX/._x.csv": b"\0\1", "a/": b""})

    assert bring(data, now).counts == {"new": 1}


@pytest_db
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b",".join(b"c%d" % n for n in range(10_000)) + b"\n", "Spalten"),
        (b"x" * (3 * files.MEGABYTE), "länger als"),
    ],
)
def test_what_no_list_looks_like_is_refused_while_looking(now, data, words):
    assert words in refused(data, now)


@pytest_db
def test_a_line_of_a_thousand_columns_costs_itself_alone(now):
    run = bring(csv_bytes("E-Mail,Name", f"{ADA},Ada", "," * 1000, "bob@leser.example,Bob"), now)

    assert run.counts == {"new": 2, "invalid": 1}
    assert "Diese Zeile hat 1001 Spalten" in lines(run, "invalid")[0][2]


@pytest_db
def test_the_wrong_encoding_can_be_corrected(now):
    run = upload(csv_bytes("E-Mail;Name", f"{ADA};Müller", encoding="cp1252"), now)
    run.files.update(encoding="utf-16")
    preview = running.preview(run.files.get())
    assert preview.problem or preview.headings != ["E-Mail", "Name"]

    run.files.update(encoding="cp1252")

    assert running.preview(run.files.get()).rows == [[ADA, "Müller"]]


@pytest_db
@given(data=st.binary(max_size=400), name=st.sampled_from(["x.csv", "x.zip"]))
@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_file_breaks_the_upload(now, data, name):
    with suppress(ImportRefused):
        run = upload(data, now, name)
        for file in run.files.all():
            running.preview(file)
