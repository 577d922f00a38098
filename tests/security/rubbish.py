"""Requests as strangers and their programs send them: right, nearly right, and wrong in every part.

Everything comes from one seeded source of chance, so that what went wrong can be asked again.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlencode

from tests.security.house import House, Way, all_ways, forms

METHODS = (
    ("GET",) * 6 + ("POST",) * 6 + ("HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "X-Y")
)
# A stranger gets no further than its door.
DESK_PAGES = 10
CSRF = "k" * 32
LONG = "x" * 8000  # gunicorn takes headers up to 8190 bytes
# What a field, a part of an address or a header may be instead of what is asked for.
ODD = (
    "", " ", "0", "-1", "99999999999999999999", "1e999", "NaN", "null", "undefined", "true", "[]",
    "\0", "a\0b", "\r\nBcc: x@y.example", "\n", "\t", "\x1b[31m", "\u202e", "\ufeff", "\u2028",
    "’", "ß" * 300, "𝕏" * 50, "a\u0301" * 40, "%", "%00", "%0d%0aX: y", "%ff", "%zz", "..", "../..",
    "/etc/passwd", "//evil.example", "https://evil.example/", "javascript:alert(1)", "{{ 7|add:7 }}",
    "{% debug %}", "%(x)s", "{0.__class__}", "' OR 1=1 --", "\\", "\"><script>", "=1+1", "@SUM(A1)",
    "2027-02-30", "2999-12-31", "9999-12-31", "0001-01-01", "2027-03-03", "Europe/Berlin",
    "America/New_York", "../../etc/localtime", "Etc/GMT+14", "wer@example.org", "a@b", "@", "x@" + "y" * 300,
    "ü@ü.example", "\"a b\"@example.org", "wer@[127.0.0.1]", LONG,
)  # fmt: skip
RAW = ("%00", "%ff%fe", "%ED%A0%80", "%c0%af", "%F0%9F%92%A9", "%2e%2e", "%2f", "%5c", "%0a", "%")
NAMES = (
    "tz", "gehalten", "ab", "termin", "next", "page", "p", "q", "o", "e", "x", "status", "id", "pk",
    "zurueck", "erneut", "accept", "decline", "note", "csrfmiddlewaretoken", "website", "confirmed_at",
    "price_cents", "deposit_cents", "", "\0", "a[b]", "__proto__",
)  # fmt: skip
HEADERS: dict[str, Sequence[str]] = {
    "HTTP_IF_NONE_MATCH": ("*", 'W/"x"', '"', ",", "\xff", LONG),
    "HTTP_IF_MODIFIED_SINCE": (
        "x", "Mon, 01 Mar 2027 08:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT",
        "Mon, 32 Mar 2027 99:00:00 GMT", "Mon, 01 Mar 99999 08:00:00 GMT",
        "Monday, 01-Mar-00 08:00:00 GMT",
    ),
    "HTTP_IF_UNMODIFIED_SINCE": ("x", "Thu, 01 Jan 1970 00:00:00 GMT"),
    "HTTP_IF_MATCH": ("*", '"x"'),
    "HTTP_IF_RANGE": ('"x"',),
    "HTTP_RANGE": ("bytes=0-", "bytes=-1", "bytes=9-1", "bytes=0-0,2-3", "bytes=99999999999-", "x=1"),
    "HTTP_ACCEPT": ("*/*", "text/html;q=x", "application/json", "\xff"),
    "HTTP_ACCEPT_ENCODING": ("gzip", "br;q=0", "gzip;q=x", "identity;q=0", "*;q=0", ",,;=", "\xff"),
    "HTTP_ACCEPT_LANGUAGE": ("de", "en;q=0", "x-y-z;q=1.1111", ",", "\xff", LONG),
    "HTTP_COOKIE": (
        "sessionid=x", 'sessionid="\\000\\000\\000\\000\\000\\000\\000\\000"', 'sessionid="\\377\\777aaaaaaa"',
        "sessionid=" + "a" * 32, "csrftoken=\xff", "messages=x", "=;=;", ";", "a=b" * 500,
        'csrftoken="\\000"', "sessionid=" + LONG,
    ),
    "HTTP_HOST": (
        "evil.example", "localhost:99999999", "localhost:x", "[::1]", "[", "localhost.", "",
        "a b", "localhost,evil.example", "\xff",
    ),
    "HTTP_X_FORWARDED_FOR": ("1.2.3.4", "x", "::1", "1.2.3.4, ::ffff:10.0.0.1", ",", "\xff", LONG),
    "HTTP_X_FORWARDED_HOST": ("evil.example",),
    "HTTP_X_FORWARDED_PROTO": ("https", "x"),
    "HTTP_X_HTTP_METHOD_OVERRIDE": ("DELETE",),
    "HTTP_X_REQUESTED_WITH": ("XMLHttpRequest",),
    "HTTP_REFERER": ("http://localhost:8000/", "https://evil.example/", "\xff", "http://[", LONG),
    "HTTP_ORIGIN": ("null", "http://localhost:8000", "https://evil.example", "\xff", "http://["),
    "HTTP_SEC_PURPOSE": ("prefetch",),
    "HTTP_USER_AGENT": ("", "\xff", LONG, "() { :; }; true"),
    "HTTP_AUTHORIZATION": ("Basic", "Basic x", "Basic bmFtZTp3b3J0", "Basic //8=", "Bearer \xff"),
    "HTTP_STRIPE_SIGNATURE": ("t=1,v1=x", "t=x", ",", "=", "\xff", "t=" + "9" * 40 + ",v1=00"),
    # What is no number gunicorn refuses by itself.
    "CONTENT_LENGTH": ("", "0", "1", "99999999"),
    "CONTENT_TYPE": (
        "", "x", "application/json", "text/plain; charset=utf-16", "multipart/form-data",
        "multipart/form-data; boundary=", "multipart/form-data; boundary=\xff", "multipart/mixed; boundary=x",
        "application/x-www-form-urlencoded; charset=hex", "application/x-www-form-urlencoded; charset=x",
        "multipart/form-data; boundary=x; charset=unicode_escape", "multipart/form-data; boundary=" + LONG,
    ),
    "REMOTE_ADDR": ("", "x", "::1", "10.0.0.1", "fe80::1%eth0"),
}  # fmt: skip


@dataclass(frozen=True)
class Sent:
    """One request, as it may be shown to whoever has to find out."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def environ(self) -> dict[str, Any]:
        """As gunicorn hands it over (PEP 3333)."""
        return {
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(self.path).decode("latin-1"),
            "RAW_URI": f"{self.path}?{self.query}",
            "QUERY_STRING": self.query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "localhost:8000",
            "CONTENT_LENGTH": str(len(self.body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(self.body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            **dict(self.headers),
        }


def requests(house: House, chance: Random, count: int, desk: Sequence[Way] = ()) -> Iterator[Sent]:
    """So many of them; every pattern is asked before any is asked again, of the desk some each time."""
    typed = forms(house)
    secrets = [key for keys in house.keys.values() for key in keys]
    known: dict[str, list[Way]] = {}
    for way in all_ways(house):
        known.setdefault(way.route, []).append(way)
    left: list[Way] = []
    for _ in range(count):
        if not left:
            some = chance.sample(desk, min(len(desk), DESK_PAGES))
            left = [*map(chance.choice, known.values()), *some]
            chance.shuffle(left)
        yield _request(left.pop(), typed, secrets, chance)


def _request(
    way: Way, typed: dict[str, dict[str, str]], secrets: Sequence[str], chance: Random
) -> Sent:
    method = chance.choice(METHODS)
    fields = next((each for start, each in typed.items() if way.path.startswith(start)), {})
    body, content_type = b"", ""
    if method not in ("GET", "HEAD"):
        body, content_type = _body(dict(fields), chance)
    headers = {
        "CONTENT_TYPE": content_type,
        "HTTP_COOKIE": f"csrftoken={CSRF}",
        # Somebody else each time, so that who asks too often is not all there is to see.
        "REMOTE_ADDR": f"{chance.randint(11, 90)}.{chance.randint(0, 255)}.{chance.randint(0, 255)}.7",
    }
    while chance.random() < 0.3:
        name = chance.choice([*HEADERS])
        headers[name] = chance.choice(HEADERS[name])
    path = quote(_bent(way.path, secrets, chance), safe="/%:")
    return Sent(method, path, _query(secrets, chance), tuple(headers.items()), body)


def _bent(path: str, secrets: Sequence[str], chance: Random) -> str:
    """Mostly the path itself; else with a part of it cut, doubled or exchanged."""
    if chance.random() < 0.6:
        return path
    parts = path.split("/")
    at = chance.randrange(len(parts))
    parts[at] = chance.choice(
        (
            chance.choice(ODD),
            chance.choice(RAW),
            chance.choice(secrets),
            parts[at][:-1],
            parts[at] + chance.choice(RAW),
            parts[at][::-1],
            parts[at] * 2,
            parts[at].swapcase(),
        )
    )
    return "/".join(parts)


def _query(secrets: Sequence[str], chance: Random) -> str:
    pairs = []
    while chance.random() < 0.4:
        value = chance.choice((chance.choice(ODD), chance.choice(secrets)))
        pairs.append((chance.choice(NAMES), value))
    return urlencode(pairs) + ("&" + chance.choice(RAW) + "=%ff" if chance.random() < 0.1 else "")


def _body(fields: dict[str, str], chance: Random) -> tuple[bytes, str]:
    if chance.random() < 0.9:
        fields["csrfmiddlewaretoken"] = CSRF
    while fields and chance.random() < 0.4:
        name = chance.choice([*fields])
        if chance.random() < 0.3:
            del fields[name]
        else:
            fields[name] = chance.choice(ODD)
    while chance.random() < 0.2:
        fields[chance.choice(NAMES)] = chance.choice(ODD)
    match chance.randrange(10):
        case 0:
            return chance.randbytes(chance.randrange(300)), chance.choice(HEADERS["CONTENT_TYPE"])
        case 1:
            text = chance.choice(
                ('{"type": "x"}', "[]", "{", "null", '{"id": "\\ud800"}', "[" * 2000)
            )
            return text.encode(), "application/json"
        case 2 | 3:
            return _multipart(fields, chance), "multipart/form-data; boundary=x"
        case _:
            return urlencode(fields).encode(), "application/x-www-form-urlencoded"


def _multipart(fields: dict[str, str], chance: Random) -> bytes:
    parts = []
    for name, value in fields.items():
        file = chance.choice(
            ("", "", '; filename="a.png"', '; filename="\0"', "; filename*=x''%ff")
        )
        head = f'Content-Disposition: form-data; name="{name}"{file}\r\n'
        if chance.random() < 0.2:
            head += chance.choice(
                (
                    "Content-Transfer-Encoding: base64\r\n",
                    "Content-Type: text/plain; charset=hex\r\n",
                    "Content-Length: -1\r\n",
                    f"X: {LONG}\r\n",
                )
            )
        parts.append(f"--x\r\n{head}\r\n{value}\r\n".encode(errors="replace"))
    whole = b"".join(parts) + b"--x--\r\n"
    return whole if chance.random() < 0.8 else whole[: chance.randrange(len(whole) + 1)]
