"""Fetching a calendar from a server nobody here controls."""

from __future__ import annotations

import gzip
import shutil
import socket
import ssl
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from booking import busy_feeds
from booking.busy_feeds import Answer, FeedFailed, checked_url, fetch
from booking.busy_times import Parsed
from coaching_site.fetching import REDIRECTS, is_public
from tests.booking import feed_server
from tests.booking.feed_server import calendar_file

FILE = calendar_file("DTSTART:20270301T080000Z\nDTEND:20270301T090000Z")
SECRET = "sehr-geheim"


@pytest.fixture
def server():
    with feed_server.serve() as running:
        yield running


def everywhere(address: str) -> bool:
    return True


def ask(url: str, *, seconds: float = 5, **more) -> Answer:
    return fetch(url, deadline=time.monotonic() + seconds, **{"allowed": everywhere, **more})


def refusal(url: str, **more) -> str:
    with pytest.raises(FeedFailed) as failed:
        ask(url, **more)
    return str(failed.value)


def test_a_calendar_comes_with_what_to_ask_by_next_time(server):
    server.serve(FILE, ETag='"v1"', Last_Modified="Mon, 01 Mar 2027 08:00:00 GMT")

    answer = ask(server.url)

    assert answer == Answer(FILE, '"v1"', "Mon, 01 Mar 2027 08:00:00 GMT")


@pytest.mark.parametrize(
    "known", [{"etag": '"v1"'}, {"last_modified": "Mon, 01 Mar 2027 08:00:00 GMT"}]
)
def test_nothing_new_is_an_answer_too(server, known):
    server.serve(FILE, ETag='"v1"', Last_Modified="Mon, 01 Mar 2027 08:00:00 GMT")

    assert ask(server.url, **known).content is None


def test_nothing_new_means_nothing_to_whom_has_nothing(server):
    server.serve(b"", status=304)

    assert "Fehler 304" in refusal(server.url)


def test_a_packed_calendar_is_unpacked(server):
    server.serve(gzip.compress(FILE), Content_Encoding="gzip")

    assert ask(server.url).content == FILE


def test_a_packed_bomb_does_not_unfold(server):
    server.serve(gzip.compress(b"\0" * 200_000_000, 9), Content_Encoding="gzip")

    assert "größer als 5 MB" in refusal(server.url)


def test_a_huge_calendar_is_not_read_to_its_end(server):
    server.serve(b"x" * 20_000_000)

    assert "größer als 5 MB" in refusal(server.url)


@pytest.mark.parametrize("packed", [False, True])
def test_half_a_calendar_is_none(server, packed):
    content = gzip.compress(FILE) if packed else FILE
    coding = {"Content_Encoding": "gzip"} if packed else {}
    server.serve(content[:-30], Content_Length=str(len(content)), **coding)

    assert "nicht vollständig" in refusal(server.url)


def test_an_unknown_packing_is_refused(server):
    server.serve(FILE, Content_Encoding="br")

    assert "nicht lesbar" in refusal(server.url)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(401, "Anmeldung"), (403, "verweigert"), (404, "keinen Kalender mehr"), (500, "Fehler 500")],
)
def test_each_refusal_of_the_server_has_its_sentence(server, status, sentence):
    server.serve(FILE, status=status)

    assert sentence in refusal(server.url)


@pytest.mark.parametrize(
    "beginning", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\nBEGIN"]
)
def test_a_server_that_falls_silent_is_given_up_in_time(server, beginning):
    server.hang(beginning)

    began = time.monotonic()
    assert "nicht rechtzeitig" in refusal(server.url, seconds=0.3)
    assert time.monotonic() - began < 1


def test_a_server_that_drips_is_given_up_in_time_and_lets_go(server):
    server.drip()

    began = time.monotonic()
    assert "nicht rechtzeitig" in refusal(server.url, seconds=0.3)
    assert time.monotonic() - began < 1
    for _ in range(100):
        if not any(thread.name == "fetching" for thread in threading.enumerate()):
            break
        time.sleep(0.02)
    else:
        pytest.fail("The thread that reads has not ended.")


def test_a_name_server_that_is_silent_is_given_up_in_time():
    silence = threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        silence.wait(20)
        return []

    assert "nicht rechtzeitig" in refusal("https://calendar.example/", seconds=0.2, resolve=resolve)
    silence.set()


def test_a_dead_server_is_said_to_be_dead():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]

    assert "nicht erreichbar" in refusal(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    "noise", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\0" * 100, b"HTTP/1.1 abc\r\n\r\n"]
)
def test_what_does_not_speak_http_is_not_reachable(server, noise):
    server.replies["/feed.ics"] = lambda request: request.wfile.write(noise)

    assert "nicht erreichbar" in refusal(server.url)


@pytest.mark.parametrize("status", REDIRECTS)
def test_a_moved_calendar_is_followed(server, status):
    server.redirect("/neu/hier.ics", status=status)
    server.serve(FILE, path="/neu/hier.ics")

    assert ask(server.url).content == FILE


def test_a_calendar_that_moves_in_circles_is_left(server):
    server.redirect("/feed.ics")

    assert "leitet zu oft um" in refusal(server.url)
    assert len(server.asked) == 4


@pytest.mark.parametrize(
    "target",
    ["file:///etc/passwd", "ftp://calendar.example/", "gopher://x/", "http://[x"],
)
def test_a_redirect_leads_to_the_web_or_nowhere(server, target):
    server.redirect(target)

    assert "keine Adresse eines Kalenders" in refusal(server.url)


# --- where no request may go ------------------------------------------------------------------

PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.178.1",
    "100.64.0.1",
    "169.254.169.254",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "100::1",
    "5f00::1",
    "localhost",
    "",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_out_in_the_world_is_refused(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "142.250.185.78", "2a00:1450:4001:80b::200e"])
def test_an_address_out_in_the_world_is_asked(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "0",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "１２７.0.0.1",
    ],
)
def test_this_machine_is_not_asked_under_any_of_its_names(server, host):
    port = server.address.rpartition(":")[2]

    with pytest.raises(FeedFailed):
        fetch(f"http://{host}:{port}/feed.ics", deadline=time.monotonic() + 5)

    assert server.asked == []


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::1"], []])
def test_a_name_that_leads_home_is_refused(server, addresses):
    said = refusal(
        server.url.replace("127.0.0.1", "calendar.example"),
        allowed=is_public,
        resolve=lambda host, port: addresses,
    )

    assert "privates Netz" in said
    assert server.asked == []


def test_a_redirect_that_leads_home_is_refused(server):
    """The first address is let through, the second is looked at like any other."""
    server.redirect(server.url.replace("127.0.0.1", "inside.example"))
    answers = {"calendar.example": "127.0.0.1", "inside.example": "127.0.0.2"}

    said = refusal(
        server.url.replace("127.0.0.1", "calendar.example"),
        allowed=lambda address: address == "127.0.0.1",
        resolve=lambda host, port: [answers[host]],
    )

    assert "privates Netz" in said
    assert len(server.asked) == 1


def test_a_name_is_looked_up_once_and_the_checked_address_is_asked(server):
    """A name server that changes its mind between the check and the request changes nothing."""
    server.serve(FILE)
    answers = iter([["127.0.0.1"], ["127.0.0.9"]])

    ask(
        server.url.replace("127.0.0.1", "calendar.example"),
        resolve=lambda host, port: next(answers),
    )

    assert next(answers) == ["127.0.0.9"]
    assert server.asked[0][1]["Host"].startswith("calendar.example:")


def test_a_second_address_is_tried_when_the_first_is_dead(server):
    server.serve(FILE)

    answer = ask(
        server.url.replace("127.0.0.1", "calendar.example"),
        resolve=lambda host, port: ["127.0.0.2", "127.0.0.1"],
    )

    assert answer.content == FILE


# --- encryption -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test"
    names = ["-addext", "subjectAltName=DNS:calendar.example"]
    files = ["-keyout", str(key), "-out", str(cert)]
    subprocess.run(["openssl", *command.split(), *names, *files], check=True, capture_output=True)
    return cert, key


@pytest.fixture
def safe_server(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with feed_server.serve(lambda sock: context.wrap_socket(sock, server_side=True)) as running:
        running.serve(FILE)
        yield running


def home(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


@pytest.mark.parametrize("scheme", ["https", "webcal", "webcals"])
def test_the_server_has_to_show_a_certificate_of_its_name(safe_server, certificate, scheme):
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    url = safe_server.url.replace("https://127.0.0.1", f"{scheme}://calendar.example")

    assert ask(url, resolve=home, tls=trusting).content == FILE
    said = refusal(url.replace("calendar", "other"), resolve=home, tls=trusting)
    assert "Zertifikat" in said


def test_a_certificate_nobody_vouches_for_is_refused(safe_server):
    url = safe_server.url.replace("127.0.0.1", "calendar.example")

    assert "Zertifikat" in refusal(url, resolve=home)
    assert safe_server.asked == []


def test_a_secret_is_not_carried_on_without_encryption(safe_server, server, certificate):
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    safe_server.redirect(server.url)
    url = safe_server.url.replace("127.0.0.1", "calendar.example")

    assert "unverschlüsselt" in refusal(url, resolve=home, tls=trusting)
    assert server.asked == []


# --- addresses --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("webcal://p1.example/a.ics", "https://p1.example/a.ics"),
        ("  HTTPS://Calendar.Example/a.ics#x ", "https://Calendar.Example/a.ics"),
        ("https://calendar.example", "https://calendar.example/"),
        ("http://calendar.example:8080/?key=1&x=ä", "http://calendar.example:8080/?key=1&x=%C3%A4"),
        ("https://bücher.example/ü.ics", "https://bücher.example/%C3%BC.ics"),
        ("https://8.8.8.8/a.ics", "https://8.8.8.8/a.ics"),
    ],
)
def test_an_address_is_put_into_the_form_it_is_asked_in(typed, asked):
    assert checked_url(typed) == asked


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("calendar.example/a.ics", "keine Adresse eines Kalenders"),
        ("ftp://calendar.example/a.ics", "keine Adresse eines Kalenders"),
        ("file:///etc/passwd", "keine Adresse eines Kalenders"),
        ("https://", "keine Adresse eines Kalenders"),
        ("https://x:99999/", "keine Adresse eines Kalenders"),
        ("https://[::1", "keine Adresse eines Kalenders"),
        ("https://a b.example/", "keine Adresse eines Kalenders"),
        ("https://a.example/\r\nHost: b.example", "keine Adresse eines Kalenders"),
        ("https://.example/", "keine Adresse eines Kalenders"),
        ("https://kim:geheim@calendar.example/", "kein Kennwort"),
        ("http://localhost:8000/", "privates Netz"),
        ("http://app.localhost/", "privates Netz"),
        ("http://0x7f.1/", "privates Netz"),
        ("http://[::1]/", "privates Netz"),
        ("http://169.254.169.254/latest/meta-data/", "privates Netz"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused_with_a_sentence(typed, sentence):
    with pytest.raises(FeedFailed, match=sentence):
        checked_url(typed)


@pytest.mark.parametrize("status", [200, 404, 500])
def test_an_address_stands_in_no_error_and_no_log(server, caplog, status):
    caplog.set_level("DEBUG")
    server.redirect(f"http://127.0.0.1:1/{SECRET}", path=f"/{SECRET}.ics")

    said = refusal(f"{server.address}/{SECRET}.ics")

    assert SECRET not in said + caplog.text


# --- reading in a process of its own ----------------------------------------------------------


def read(content: bytes, *, seconds: float = 20) -> Parsed:
    return busy_feeds.read(
        content,
        zone=ZoneInfo("Europe/Berlin"),
        first=datetime(2027, 2, 28, tzinfo=UTC),
        last=datetime(2028, 2, 28, tzinfo=UTC),
        own=(),
        deadline=time.monotonic() + seconds,
    )


def test_a_file_is_read_in_a_process_of_its_own():
    parsed = read(FILE)

    (hour,) = parsed.busy
    assert hour.start == datetime(2027, 3, 1, 8, tzinfo=UTC)
    assert hour.end - hour.start == timedelta(hours=1)


def test_a_file_that_takes_too_long_to_read_is_given_up():
    bomb = calendar_file("DTSTART:20200301T070000Z\nDURATION:PT1S\nRRULE:FREQ=SECONDLY")

    with pytest.raises(FeedFailed, match="nicht rechtzeitig"):
        read(bomb, seconds=0.2)


def test_what_is_no_calendar_is_said_to_be_none():
    with pytest.raises(FeedFailed, match="eine Webseite, kein Kalender"):
        read(b"<html>")


def test_a_reader_that_breaks_down_is_one_more_failure(monkeypatch):
    monkeypatch.setattr("booking.busy_feeds.sys.executable", shutil.which("false"))

    with pytest.raises(FeedFailed, match="nicht lesbar"):
        read(FILE)
