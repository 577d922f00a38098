"""What every request passes."""

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from coaching_site import middleware


@pytest.fixture
def address_seen(settings):
    """The visitor's address as the site sees it, for a peer and a forwarded header."""

    def see(peer: str, forwarded: str) -> str:
        settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
        request = RequestFactory().get("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded)
        middleware.trust_proxies(lambda _: HttpResponse())(request)
        return str(request.META["REMOTE_ADDR"])

    return see


def test_a_stranger_cannot_choose_an_address(address_seen):
    assert address_seen("203.0.113.9", "198.51.100.1") == "203.0.113.9"


def test_our_proxy_names_the_visitor(address_seen):
    assert address_seen("10.0.0.2", "198.51.100.1") == "198.51.100.1"


def test_what_the_visitor_put_in_front_is_ignored(address_seen):
    assert address_seen("10.0.0.2", "1.2.3.4, 198.51.100.1, 10.0.0.3") == "198.51.100.1"


def test_nonsense_in_the_header_is_ignored(address_seen):
    assert address_seen("10.0.0.2", "<script>") == "10.0.0.2"


@pytest.mark.parametrize(
    "key", ['"' + r"\000" * 8 + '"', '"' + r"\777" * 8 + '"', "x" * 32, "-" * 32]
)
def test_a_sessions_key_that_is_none_is_as_good_as_no_key(client, db, key):
    answer = client.get("/verwaltung/", HTTP_COOKIE=f"sessionid={key}")

    assert (answer.status_code, answer["Location"]) == (302, "/verwaltung/login/?next=/verwaltung/")


def test_every_answer_carries_the_policies(client, db):
    response = client.get("/")

    assert "camera=()" in response["Permissions-Policy"]
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"
    assert response["X-Frame-Options"] == "DENY"
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy


def test_no_script_of_a_public_page_may_write_markup(client, db):
    policy = client.get("/")["Content-Security-Policy"]

    assert "require-trusted-types-for 'script'" in policy
    assert "trusted-types 'none'" in policy


def test_the_desk_may_use_what_djangos_admin_brings(admin_client):
    policy = admin_client.get("/verwaltung/")["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "trusted-types" not in policy
