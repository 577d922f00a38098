"""Other calendars' busy times, fetched by address: the one place that asks a foreign server.

The coach types the address, so it may point anywhere. Only public addresses are asked: the host
is looked up once, every address of the answer is checked, and the connection goes to exactly the
checked one, after each redirect again. Time and size are bounded. An address is a secret, like a
password: nothing here puts it, or what the server says, into a message or a log.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Collection, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import SplitResult, urljoin, urlsplit
from zoneinfo import ZoneInfo

from django.conf import settings

from booking.busy_times import Parsed
from booking.slots import Interval

MOST_REDIRECTS = 3
MOST_BYTES = 5 * 1024 * 1024
PIECE = 64 * 1024
# What a server gives us to hand back next time; longer ones are cut and will simply not match.
MOST_VALIDATOR = 200
SECONDS_TO_CONNECT = 5.0
REDIRECTS = (301, 302, 303, 307, 308)
SCHEMES = {"http": "http", "https": "https", "webcal": "https", "webcals": "https"}

TOO_SLOW = "Der Kalender hat nicht rechtzeitig geantwortet."
NOT_PUBLIC = "Diese Adresse führt in ein privates Netz und wird nicht gelesen."
NOT_AN_ADDRESS = "Das ist keine Adresse eines Kalenders. Sie beginnt mit https:// oder webcal://."
WITH_LOGIN = "Die Adresse darf keinen Benutzernamen und kein Kennwort enthalten."
TOO_BIG = "Der Kalender ist größer als 5 MB."
INCOMPLETE = "Der Kalender kam nicht vollständig an."
UNREADABLE = "Der Kalender ist nicht lesbar."
ANSWERS = {
    401: "Der Kalender verlangt eine Anmeldung. Nimm seine geheime Adresse, die ohne auskommt.",
    403: "Der Kalender verweigert die Auskunft. Vielleicht ist er nicht mehr freigegeben.",
    404: "Unter dieser Adresse gibt es keinen Kalender mehr.",
    410: "Unter dieser Adresse gibt es keinen Kalender mehr.",
}

# Public by the registry's word, and yet doors into other networks: the old relay to IPv6, and
# addresses that carry an IPv4 address inside (6to4, Teredo and the like). IPv6 that is public
# at all begins with 2000::/3, which leaves out the mapped and translated forms of IPv4.
PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")
SIDE_DOORS = (
    ipaddress.ip_network("192.88.99.0/24"),
    ipaddress.ip_network("192.0.0.0/24"),
    ipaddress.ip_network("2001::/23"),
    ipaddress.ip_network("2001:db8::/32"),
    ipaddress.ip_network("2002::/16"),
    ipaddress.ip_network("3fff::/20"),
)

Check = Callable[[str], bool]
Resolver = Callable[[str, int], Sequence[str]]


class FeedFailed(Exception):
    """A feed could not be read. The message is a sentence for the coach, without the address."""


@dataclass(frozen=True)
class Answer:
    """What a server said. Without content nothing has changed since last time."""

    content: bytes | None
    etag: str = ""
    last_modified: str = ""


def is_public(address: str) -> bool:
    """Whether this address is out in the world: not this machine, its network or a side door."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if not ip.is_global or ip.is_multicast or ip.is_reserved:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip not in PUBLIC_IPV6:
        return False
    return not any(ip.version == net.version and ip in net for net in SIDE_DOORS)


def system_resolver(host: str, port: int) -> Sequence[str]:
    """All addresses of a host, as the system knows them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def checked_url(text: str) -> str:
    """The address in the form it is asked in. Raises FeedFailed when it is none, or private."""
    parts = _parts(text)
    host = parts.hostname or ""
    if host.rstrip(".").endswith("localhost") or (_is_literal(host) and not is_public(host)):
        raise FeedFailed(NOT_PUBLIC)
    return parts.geturl()


def fetch(
    url: str,
    *,
    deadline: float,
    etag: str = "",
    last_modified: str = "",
    allowed: Check = is_public,
    resolve: Resolver = system_resolver,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Ask for a calendar until `deadline`, a moment of the monotonic clock. Raises FeedFailed."""
    headers = {
        "Accept": "text/calendar, */*;q=0.1",
        "Accept-Encoding": "gzip",
        "User-Agent": "coaching-site",
        "Connection": "close",
    }
    if etag:
        headers["If-None-Match"] = etag
    if last_modified:
        headers["If-Modified-Since"] = last_modified
    trip = _Trip(url, headers, deadline, allowed, resolve, tls)
    # A name server or a server that drips bytes can keep a call for as long as it likes;
    # it keeps this thread then, not the guest.
    thread = threading.Thread(target=trip.run, name="busy-feed", daemon=True)
    thread.start()
    thread.join(max(0.0, deadline - time.monotonic()))
    if thread.is_alive():
        trip.abandon()
        raise FeedFailed(TOO_SLOW)
    if trip.answer is None:
        raise FeedFailed(trip.problem)
    return trip.answer


def read(
    content: bytes,
    *,
    zone: ZoneInfo,
    first: datetime,
    last: datetime,
    own: Collection[str],
    deadline: float,
) -> Parsed:
    """The busy times in a calendar file, read by a process of its own. Raises FeedFailed."""
    wanted = {
        "zone": zone.key,
        "first": first.isoformat(),
        "last": last.isoformat(),
        "own": sorted(own),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "booking.busy_times"],
            input=json.dumps(wanted).encode() + b"\n" + content,
            capture_output=True,
            timeout=max(0.0, deadline - time.monotonic()),
            cwd=settings.BASE_DIR,
            env={"PYTHONUTF8": "1"},  # none of the site's secrets
            check=True,
        )
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise FeedFailed(TOO_SLOW) from None
    except (subprocess.CalledProcessError, ValueError):
        raise FeedFailed(UNREADABLE) from None
    if "error" in answer:
        raise FeedFailed(answer["error"])
    busy = [
        Interval(datetime.fromisoformat(start), datetime.fromisoformat(end))
        for start, end in answer["busy"]
    ]
    return Parsed(busy, answer["warnings"])


class _Trip:
    """One request and the redirects it leads to, in a thread that can be given up."""

    def __init__(
        self,
        url: str,
        headers: dict[str, str],
        deadline: float,
        allowed: Check,
        resolve: Resolver,
        tls: ssl.SSLContext | None,
    ) -> None:
        self.url = url
        self.headers = headers
        self.deadline = deadline
        self.allowed = allowed
        self.resolve = resolve
        self.tls = tls
        self.answer: Answer | None = None
        self.problem = ""
        self.socket: socket.socket | None = None

    def run(self) -> None:
        try:
            self.answer = self._go()
        except FeedFailed as failure:
            self.problem = str(failure)
        except TimeoutError:
            self.problem = TOO_SLOW
        except ssl.SSLError:
            self.problem = "Die sichere Verbindung zum Kalender kam nicht zustande (Zertifikat)."
        except (OSError, http.client.HTTPException):
            self.problem = "Der Server des Kalenders ist nicht erreichbar."
        except Exception as error:
            # By its kind alone: the text may hold the address.
            self.problem = f"{UNREADABLE} ({type(error).__name__})"

    def abandon(self) -> None:
        """End a read that is under way, from outside."""
        if self.socket is not None:
            with suppress(OSError):
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def _go(self) -> Answer:
        parts = _parts(self.url)
        for _ in range(MOST_REDIRECTS + 1):
            with closing(self._connection(parts)) as connection:
                path = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
                connection.request("GET", path, headers=self.headers)
                response = connection.getresponse()
                if response.status not in REDIRECTS:
                    return self._answer(response)
                target = response.getheader("Location") or ""
            following = _parts(target, base=parts.geturl())
            if parts.scheme == "https" and following.scheme == "http":
                raise FeedFailed("Der Kalender leitet auf eine unverschlüsselte Adresse um.")
            parts = following
        raise FeedFailed("Der Kalender leitet zu oft um.")

    def _connection(self, parts: SplitResult) -> http.client.HTTPConnection:
        """A connection to a checked address of this host; the name is not looked up again."""
        host = _ascii(parts.hostname or "")
        is_tls = parts.scheme == "https"
        port = parts.port or (443 if is_tls else 80)
        try:
            addresses = self.resolve(host, port)
        except (OSError, UnicodeError):
            raise FeedFailed("Den Server dieser Adresse gibt es nicht.") from None
        if not addresses or not all(self.allowed(address) for address in addresses):
            raise FeedFailed(NOT_PUBLIC)
        self.socket = self._socket(addresses, port)
        if is_tls:
            context = self.tls or ssl.create_default_context()
            self.socket = context.wrap_socket(self.socket, server_hostname=host)
        kind = http.client.HTTPSConnection if is_tls else http.client.HTTPConnection
        connection = kind(host, port)
        connection.sock = self.socket
        return connection

    def _socket(self, addresses: Sequence[str], port: int) -> socket.socket:
        for number, address in enumerate(addresses, start=1):
            patience = min(self._left(), SECONDS_TO_CONNECT)
            try:
                made = socket.create_connection((address, port), timeout=patience)
            except OSError:
                if number == len(addresses):
                    raise
            else:
                made.settimeout(self._left())
                return made
        raise AssertionError("There is at least one address.")

    def _answer(self, response: http.client.HTTPResponse) -> Answer:
        if response.status == 304 and {"If-None-Match", "If-Modified-Since"} & set(self.headers):
            return Answer(None)
        if response.status != 200:
            otherwise = f"Der Server des Kalenders meldet Fehler {response.status}."
            raise FeedFailed(ANSWERS.get(response.status, otherwise))
        content = self._body(response)
        return Answer(
            content,
            (response.getheader("ETag") or "")[:MOST_VALIDATOR],
            (response.getheader("Last-Modified") or "")[:MOST_VALIDATOR],
        )

    def _body(self, response: http.client.HTTPResponse) -> bytes:
        coding = (response.getheader("Content-Encoding") or "identity").strip().lower()
        if coding not in ("identity", "gzip", "x-gzip", ""):
            raise FeedFailed(UNREADABLE)
        unpack = zlib.decompressobj(wbits=31) if "gzip" in coding else None
        content = bytearray()
        received = 0
        while True:
            if self.socket is not None:
                self.socket.settimeout(self._left())
            piece = response.read1(PIECE)
            if not piece:
                break
            received += len(piece)
            room = MOST_BYTES + 1 - len(content)
            content += unpack.decompress(piece, room) if unpack else piece
            if received > MOST_BYTES or len(content) > MOST_BYTES:
                raise FeedFailed(TOO_BIG)
        if response.length or (unpack is not None and not unpack.eof):
            raise FeedFailed(INCOMPLETE)
        return bytes(content)

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise FeedFailed(TOO_SLOW)
        return left


def _parts(text: str, base: str = "") -> SplitResult:
    """The parts of an address that can be asked. Raises FeedFailed if it is none."""
    try:
        parts = urlsplit(urljoin(base, text.strip()))
        scheme = SCHEMES.get(parts.scheme, "")
        labels = _ascii(parts.hostname or "").removesuffix(".").split(".")
        is_complete = bool(scheme and all(labels) and parts.port != 0)
    except (ValueError, UnicodeError):
        is_complete = False
    if not is_complete or any(sign.isspace() or not sign.isprintable() for sign in text.strip()):
        raise FeedFailed(NOT_AN_ADDRESS)
    if parts.username is not None or parts.password is not None:
        raise FeedFailed(WITH_LOGIN)
    path = "".join(sign if sign.isascii() else _quoted(sign) for sign in parts.path or "/")
    query = "".join(sign if sign.isascii() else _quoted(sign) for sign in parts.query)
    return parts._replace(scheme=scheme, path=path, query=query, fragment="")


def _quoted(sign: str) -> str:
    return "".join(f"%{byte:02X}" for byte in sign.encode())


def _ascii(host: str) -> str:
    return host if host.isascii() else host.encode("idna").decode()


def _is_literal(host: str) -> bool:
    """Whether the host is an address already, in one of its many spellings (127.1, 0x7f000001)."""
    with suppress(ValueError):
        ipaddress.ip_address(host)
        return True
    with suppress(OSError):
        socket.inet_aton(host)
        return True
    return False
