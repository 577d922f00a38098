"""Whether the pages an issue links to are still there."""

from __future__ import annotations

import socket
import time

import pytest
from django.conf import settings as site

from newsletter.dead_links import dead_links
from newsletter.models import Issue
from newsletter.preflight import Problem
from tests.booking import feed_server


@pytest.fixture
def server():
    with feed_server.serve() as running:
        yield running


def everywhere(address: str) -> bool:
    return True


def ask(*links: str, **how) -> list[Problem]:
    return dead_links(Issue(body=" ".join(links)), **{"allowed": everywhere, **how})


def link(server, path: str, text: str = "dort") -> str:
    return f"[{text}]({server.address}{path})"


def test_a_page_that_is_there_is_no_problem(server):
    server.serve(b"x", path="/da")

    assert ask(link(server, "/da")) == []


@pytest.mark.parametrize("status", [404, 410])
def test_a_page_that_is_gone_blocks_and_is_named(server, status):
    server.serve(b"", path="/fort", status=status)

    (problem,) = ask(link(server, "/fort", text="mein Beleg"))

    assert (problem.kind, problem.blocks) == ("dead_link", True)
    assert "„mein Beleg“" in problem.message
    assert f"{server.address}/fort" in problem.message


@pytest.mark.parametrize("status", [401, 403, 405, 429, 500, 503])
def test_a_page_that_will_not_say_is_worth_a_look(server, status):
    server.serve(b"", path="/x", status=status)

    (problem,) = ask(link(server, "/x"))

    assert (problem.kind, problem.blocks) == ("unsure_link", False)
    assert str(status) in problem.message


def test_a_page_that_moved_is_followed(server):
    server.redirect("/neu", path="/alt")
    server.serve(b"x", path="/neu")
    server.redirect("/fort", path="/verloren")

    assert ask(link(server, "/alt")) == []
    assert [problem.blocks for problem in ask(link(server, "/verloren"))] == [True]


def test_a_server_nobody_knows_blocks():
    def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    (problem,) = ask("[dort](https://gibtesnicht.example/)", resolve=resolve)

    assert (problem.kind, problem.blocks) == ("dead_link", True)


def test_a_name_server_that_does_not_answer_is_no_proof():
    def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "later")

    (problem,) = ask("[dort](https://a.example/)", resolve=resolve)

    assert (problem.kind, problem.blocks) == ("unsure_link", False)


def test_a_server_that_refuses_is_worth_a_look():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]

    (problem,) = ask(f"[dort](http://127.0.0.1:{port}/)")

    assert (problem.kind, problem.blocks) == ("unsure_link", False)


def test_however_many_are_silent_the_coach_does_not_wait_longer(server):
    server.hang()
    links = [link(server, f"/feed.ics?{number}") for number in range(20)]

    began = time.monotonic()
    found = ask(*links, seconds=0.5)

    assert time.monotonic() - began < 3
    assert {(problem.kind, problem.blocks) for problem in found} == {("unsure_link", False)}
    assert len(found) == 20


@pytest.mark.parametrize(
    "resolve", [lambda host, port: ["127.0.0.1"], lambda host, port: ["8.8.8.8", "10.0.0.1"]]
)
def test_no_request_goes_into_a_private_network(server, resolve):
    url = server.address.replace("127.0.0.1", "inside.example")

    (problem,) = dead_links(Issue(body=f"[dort]({url}/)"), resolve=resolve)

    assert (problem.kind, problem.blocks) == ("dead_link", True)
    assert server.asked == []


def test_a_page_is_asked_once_and_problems_come_in_the_order_of_the_letter(server):
    paths = ["/c", "/a", "/c", "/b", "/a"]

    found = ask(*(link(server, path, text=path) for path in paths))

    assert sorted(path for path, _ in server.asked) == ["/a", "/b", "/c"]
    assert [problem.message.split("„")[1][:2] for problem in found] == ["/c", "/a", "/b"]


def test_nobody_is_asked_about_this_site_a_mailbox_or_a_telephone():
    assert ask(f"[a]({site.SITE_URL}/fort/) [b](mailto:a@b.example) [c](tel:+49301) [d](/x)") == []


def test_a_page_is_not_read(server):
    server.serve(b"x" * 20_000_000, path="/riesig")

    assert ask(link(server, "/riesig")) == []
