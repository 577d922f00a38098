"""What a request passes before Django sees it."""

from __future__ import annotations

import io

import pytest
from django.test import RequestFactory

from coaching_site.wsgi import application, read_as_utf8


def form(charset: str, body: bytes = b"email=%C3%BC"):
    request = RequestFactory().generic("POST", "/newsletter/?a=b", body)
    kind = f"application/x-www-form-urlencoded; charset={charset}"
    return {**request.environ, "CONTENT_TYPE": kind, "wsgi.input": io.BytesIO(body)}


@pytest.mark.parametrize("charset", ["hex", "utf-16", "unicode_escape", "nonsense", '"h', "utf-8"])
def test_no_header_chooses_how_a_form_is_read(charset):
    kinds = []

    def site(environ, start):
        kinds.append(environ["CONTENT_TYPE"])
        return []

    read_as_utf8(site)(form(charset), lambda *_: print)

    assert kinds == ["application/x-www-form-urlencoded"]


def test_what_else_the_header_says_stays():
    environ = {"CONTENT_TYPE": "multipart/form-data; charset=hex; boundary=x"}

    read_as_utf8(lambda environ, start: [])(environ, lambda *_: print)

    assert environ == {"CONTENT_TYPE": 'multipart/form-data; boundary="x"'}


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "application/json", ""])
def test_what_names_no_encoding_stays_as_it_is(kind):
    environ = {"CONTENT_TYPE": kind}

    read_as_utf8(lambda environ, start: [])(environ, lambda *_: print)

    assert environ == {"CONTENT_TYPE": kind}


@pytest.mark.django_db(transaction=True)
def test_a_form_in_no_encoding_at_all_is_answered():
    statuses: list[str] = []

    def start(status, headers, *_):
        statuses.append(status)

    application(form("hex"), start)

    assert statuses == ["403 Forbidden"]  # it brings no token of ours
