"""When two addresses are one, and what is none."""

import pytest

from newsletter import addresses


def test_the_key_forgets_case_and_spaces_and_the_shown_form_keeps_the_local_part():
    address = addresses.parse("  Max@Example.ORG ")

    assert (address.shown, address.key) == ("Max@example.org", "max@example.org")
    assert addresses.parse("MAX@EXAMPLE.org").key == address.key


@pytest.mark.parametrize(
    "other", ["max@xn--mnchen-3ya.de", "max@mu\u0308nchen.de", "max@MÜNCHEN.de"]
)
def test_an_umlaut_domain_is_one_domain_however_it_is_written(other):
    assert addresses.parse(other).key == addresses.parse("max@münchen.de").key


def test_sharp_s_and_double_s_are_two_domains():
    assert addresses.parse("max@straße.de").key != addresses.parse("max@strasse.de").key


def test_dots_and_plus_tags_are_the_owners_affair():
    tagged = addresses.parse("Max.Muster+news@gmail.com")

    assert tagged.key == "max.muster+news@gmail.com"
    assert tagged.key != addresses.parse("maxmuster@gmail.com").key


@pytest.mark.parametrize(
    "text",
    [
        "max@ex\u200bample.de",
        "max@localhost",
        "max@example",
        "a@b",
        "max@[1.2.3.4]",
        '"a b"@example.de',
        "max@-example.de",
        f"{'x' * 65}@example.de",
        f"max@{'x.' * 126}example.de",
        "x" * 300,
        "Max <max@example.de>",
        "jörg@example.de",
        "max@example.de\nBcc: eve@example.de",
        "max\x00@example.de",
        "max@exa\ud800mple.de",
        "\ud800@example.de",
        "",
        "@",
    ],
)
def test_what_no_mail_server_would_take_is_refused(text):
    with pytest.raises(addresses.NotAnAddress):
        addresses.parse(text)
