"""`make run`: starts with nothing prepared, says where it is, stops cleanly, starts again."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time

import pytest

from tests.booking.conftest import PRIVATELY
from tests.running_site import ROOT, TYPING_SECONDS, Visitor, wait_until

# One after the other: each of them wants the machine for itself.
pytestmark = pytest.mark.xdist_group("faults")


def test_it_starts_says_where_it_is_and_stops_cleanly(local_site):
    local_site.start()

    assert Visitor(local_site.url).get("/").status == 200
    assert f"http://localhost:{local_site.port}/" in local_site.output
    assert local_site.stop() == 0
    leftover = subprocess.run(["pgrep", "-f", str(local_site.folder)], capture_output=True)
    assert leftover.stdout == b""


def test_the_password_is_shown_once_and_data_survives(local_site):
    local_site.start()
    first = re.search(r"Password: (\S+)", local_site.output)
    local_site.stop()

    local_site.start()

    assert first
    assert "Password:" not in local_site.output
    assert local_site.query("SELECT count(*) FROM booking_calltype") == [(3,)]


def test_a_newcomer_can_pay_without_an_account_and_with_processes_that_die(local_site):
    local_site.start()
    guest = Visitor(local_site.url)
    day = guest.get("/termin/sparring/").links("/termin/sparring/2")[1]
    times = guest.get(day)
    form = guest.get(times.links("/zeit/")[0])
    time.sleep(TYPING_SECONDS)
    review = guest.post(form, name="Ada", email="ada@firma.example", **PRIVATELY)

    at_stripe = guest.post(review, early_start="on")
    local_site.kill("payments")
    wait_until(lambda: guest.get(at_stripe.url).status == 200)
    booked = guest.post(guest.get(at_stripe.url), ende="bezahlen")

    assert "Payments:   a test page on this machine, no real money" in local_site.output
    assert "Testzahlung" in at_stripe.text
    assert "Dein Termin ist gebucht" in booked.text
    assert "payments ended and starts again." in local_site.output

    local_site.stop()
    local_site.start()
    assert "Schon bezahlt" in guest.get(at_stripe.url).text


def test_a_taken_port_is_said_in_a_sentence(local_site):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", local_site.port))
        taken.listen()
        done = subprocess.run(
            [sys.executable, "-m", "coaching_site.local", "run"],
            cwd=ROOT,
            env={"PORT": str(local_site.port), "DATA_FOLDER": str(local_site.folder)},
            capture_output=True,
            text=True,
            timeout=60,
        )

    assert done.returncode == 1
    assert f"Port {local_site.port} is taken by another program." in done.stderr
    assert "Traceback" not in done.stderr
