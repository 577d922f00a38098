"""A sandbox in a process of its own: it remembers, and can be controlled from outside."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import stripe

from tests.running_site import free_port
from tests.sandbox.conftest import ORDER, library
from tests.sandbox.receiver import receive
from tests.stripe_sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[2]


def control(sandbox_url, path, arguments=None, key=Sandbox.api_key):
    request = Request(
        f"{sandbox_url}/sandbox/{path}",
        None if arguments is None else json.dumps(arguments).encode(),
        {"Authorization": f"Bearer {key}"},
    )
    try:
        with urlopen(request, timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_everything_survives_a_restart(tmp_path):
    file = tmp_path / "stripe.json"
    with Sandbox(store=file) as first:
        client = library(first)
        kept = client.v1.checkout.sessions.create(ORDER, {"idempotency_key": "k-1"})
        intent = first.pay(kept.id)["payment_intent"]
        client.v1.refunds.create({"payment_intent": intent, "amount": 100})
        first.advance(3600)
        now = first.now

    with Sandbox(store=file) as second:
        client = library(second)
        again = client.v1.checkout.sessions.create(ORDER, {"idempotency_key": "k-1"})
        assert (again.id, len(second.sessions)) == (kept.id, 1)
        assert second.sessions == first.sessions
        assert second.events == first.events
        assert second.refunds == first.refunds
        assert second.now >= now


def test_what_was_not_delivered_is_delivered_after_a_restart(tmp_path):
    file = tmp_path / "stripe.json"
    with receive() as receiver:
        with Sandbox(store=file, webhook_url=receiver.url) as first:
            first.pay(library(first).v1.checkout.sessions.create(ORDER).id)
        with Sandbox(store=file, webhook_url=receiver.url, mode="automatic"):
            receiver.wait_for(1)

        assert receiver.event("whsec_sandbox").type == "checkout.session.completed"


def test_the_file_is_replaced_as_a_whole(tmp_path):
    file = tmp_path / "stripe.json"
    with Sandbox(store=file) as sandbox:
        library(sandbox).v1.checkout.sessions.create(ORDER)

    assert list(tmp_path.iterdir()) == [file]
    assert json.loads(file.read_text())["sessions"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_serves_remembers_and_ends_cleanly(tmp_path, number):
    file, port = tmp_path / "stripe.json", free_port()
    with receive() as receiver:
        process = start(port, "--webhook", receiver.url, "--secret", "whsec_x", "--store", file)
        try:
            url = f"http://127.0.0.1:{port}"
            client = library_at(url)
            session = client.v1.checkout.sessions.create(ORDER)
            assert control(url, "pay", {"session_id": session.id})[0] == 200
            receiver.wait_for(1)
        finally:
            process.send_signal(number)
            _, errors = process.communicate(timeout=10)

    assert receiver.event("whsec_x").data.object.id == session.id
    assert (process.returncode, errors) == (0, "")
    assert session.id in json.loads(file.read_text())["sessions"]


def test_what_was_answered_survives_a_kill(tmp_path):
    file, port = tmp_path / "stripe.json", free_port()
    process = start(port, "--store", file)
    try:
        session = library_at(f"http://127.0.0.1:{port}").v1.checkout.sessions.create(ORDER)
    finally:
        process.kill()
        process.communicate(timeout=10)

    assert session.id in json.loads(file.read_text())["sessions"]


def test_the_standard_library_is_enough():
    # -S leaves out everything that was installed.
    command = [sys.executable, "-S", "-m", "tests.stripe_sandbox", "--help"]

    assert subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL).returncode == 0


def test_it_is_controlled_from_outside(sandbox, client, order):
    url, session = sandbox.base_url, order()
    control(url, "pay", {"session_id": session.id})
    intent = sandbox.intents[0]["id"]
    control(url, "dashboard_refund", {"intent": intent, "amount": 100})
    control(url, "faults/server_error", {"on": "GET *"})

    with pytest.raises(stripe.APIError):
        client.v1.refunds.list()
    assert control(url, "refunds")[1][0]["amount"] == 100
    assert control(url, "requests")[1][0]["path"] == "/v1/checkout/sessions"


def test_events_are_delivered_from_outside(sandbox, receiver, paid):
    paid()
    url = sandbox.base_url
    (event,) = control(url, "pending")[1]

    assert control(url, "deliver", {"event": event}) == (200, {"status": 200, "body": ""})
    assert control(url, "deliver_pending", {}) == (200, [])


@pytest.mark.parametrize(
    ("path", "arguments", "status"),
    [
        ("nonsense", None, 404),
        ("nonsense", {}, 404),
        ("stop", {}, 404),
        ("faults/take", {}, 404),
        ("pay", {}, 400),
        ("pay", {"session_id": "cs_test_unknown"}, 400),
        ("listen", {"url": "http://praxis.example/"}, 400),
    ],
)
def test_nonsense_from_outside_is_refused(sandbox, path, arguments, status):
    assert control(sandbox.base_url, path, arguments)[0] == status


def test_control_needs_the_key(sandbox):
    assert control(sandbox.base_url, "reset", {}, key="sk_test_other")[0] == 401


def start(port, *arguments):
    command = [sys.executable, "-m", "tests.stripe_sandbox", "--port", str(port)]
    process = subprocess.Popen(
        [*command, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "Stripe sandbox: http://127.0.0.1" in process.stdout.readline()
    return process


def library_at(url):
    return stripe.StripeClient(
        Sandbox.api_key,
        base_addresses={"api": url},
        http_client=stripe.RequestsClient(timeout=(2, 4)),
    )
