"""Asks a foreign server for one page, wherever somebody typed that it is.

Only public addresses are asked: the host is looked up once, every address of the answer is checked,
and the connection goes to exactly the checked one, after each redirect again. Time and size are
bounded. An address may be a secret, like a password: nothing here puts it, or what the server says,
into a message or a log.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from email.message import Message
from enum import Enum, auto
from urllib.parse import SplitResult, urljoin, urlsplit

MOST_REDIRECTS = 3
PIECE = 64 * 1024
SECONDS_TO_CONNECT = 5.0
# The name servers know of no such name; other errors say that none of them answered.
NO_SUCH_NAME = (socket.EAI_NONAME, socket.EAI_NODATA)
REDIRECTS = (301, 302, 303, 307, 308)
SCHEMES = {"http": "http", "https": "https"}
OWN_HEADERS = {
    "Accept-Encoding": "gzip",
    "User-Agent": "coaching-site",
    "Connection": "close",
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


class Why(Enum):
    """Why a page could not be had."""

    NOT_AN_ADDRESS = auto()
    WITH_LOGIN = auto()
    NOT_PUBLIC = auto()
    NO_SUCH_HOST = auto()
    UNREACHABLE = auto()
    CERTIFICATE = auto()
    TOO_SLOW = auto()
    MOVES_ON = auto()
    UNENCRYPTED = auto()
    TOO_BIG = auto()
    INCOMPLETE = auto()
    UNREADABLE = auto()


class NotFetched(Exception):
    """A page could not be had. Says why, and neither where nor what the server answered."""

    def __init__(self, why: Why, detail: str = "") -> None:
        super().__init__(why.name, detail)
        self.why = why
        self.detail = detail


@dataclass(frozen=True)
class Answer:
    """What a server said. Only a 200 has content here."""

    status: int
    headers: Message
    content: bytes


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


def get(
    url: str,
    *,
    deadline: float,
    most_bytes: int,
    headers: Mapping[str, str],
    schemes: Mapping[str, str] = SCHEMES,
    allowed: Check = is_public,
    resolve: Resolver = system_resolver,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Ask for a page until `deadline`, a moment of the monotonic clock. Raises NotFetched.

    Without `most_bytes` its content is not read.
    """
    trip = _Trip(url, headers, schemes, deadline, most_bytes, allowed, resolve, tls)
    # A name server or a server that drips bytes can keep a call for as long as it likes;
    # it keeps this thread then, not whoever waits.
    thread = threading.Thread(target=trip.run, name="fetching", daemon=True)
    thread.start()
    thread.join(max(0.0, deadline - time.monotonic()))
    if thread.is_alive():
        trip.abandon()
        raise NotFetched(Why.TOO_SLOW)
    if trip.answer is None:
        raise NotFetched(trip.why, trip.detail)
    return trip.answer


def address(text: str, *, base: str = "", schemes: Mapping[str, str] = SCHEMES) -> SplitResult:
    """The parts of an address in the form it is asked in. Raises NotFetched if it is none.

    `schemes` says which ones there are, and which one each is asked by.
    """
    try:
        parts = urlsplit(urljoin(base, text.strip()))
        scheme = schemes.get(parts.scheme, "")
        labels = _ascii(parts.hostname or "").removesuffix(".").split(".")
        is_complete = bool(scheme and all(labels) and parts.port != 0)
    except (ValueError, UnicodeError):
        is_complete = False
    if not is_complete or any(sign.isspace() or not sign.isprintable() for sign in text.strip()):
        raise NotFetched(Why.NOT_AN_ADDRESS)
    if parts.username is not None or parts.password is not None:
        raise NotFetched(Why.WITH_LOGIN)
    path = "".join(sign if sign.isascii() else _quoted(sign) for sign in parts.path or "/")
    query = "".join(sign if sign.isascii() else _quoted(sign) for sign in parts.query)
    return parts._replace(scheme=scheme, path=path, query=query, fragment="")


def leads_home(parts: SplitResult) -> bool:
    """Whether an address says itself, without being looked up, that it is not out in the world."""
    host = parts.hostname or ""
    if host.rstrip(".").endswith("localhost"):
        return True
    return _is_literal(host) and not is_public(host)


class _Trip:
    """One request and the redirects it leads to, in a thread that can be given up."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        schemes: Mapping[str, str],
        deadline: float,
        most_bytes: int,
        allowed: Check,
        resolve: Resolver,
        tls: ssl.SSLContext | None,
    ) -> None:
        self.url = url
        self.headers = {**headers, **OWN_HEADERS}
        self.schemes = schemes
        self.deadline = deadline
        self.most_bytes = most_bytes
        self.allowed = allowed
        self.resolve = resolve
        self.tls = tls
        self.answer: Answer | None = None
        # Not the exception: its traceback would keep the connection.
        self.why = Why.UNREACHABLE
        self.detail = ""
        self.socket: socket.socket | None = None

    def run(self) -> None:
        try:
            self.answer = self._go()
        except NotFetched as failure:
            self.why = failure.why
        except TimeoutError:
            self.why = Why.TOO_SLOW
        except ssl.SSLError:
            self.why = Why.CERTIFICATE
        except (OSError, http.client.HTTPException):
            self.why = Why.UNREACHABLE
        except Exception as error:
            # By its kind alone: the text may hold the address.
            self.why, self.detail = Why.UNREADABLE, type(error).__name__

    def abandon(self) -> None:
        """End a read that is under way, from outside."""
        if self.socket is not None:
            with suppress(OSError):
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def _go(self) -> Answer:
        parts = address(self.url, schemes=self.schemes)
        for _ in range(MOST_REDIRECTS + 1):
            with closing(self._connection(parts)) as connection:
                path = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
                connection.request("GET", path, headers=self.headers)
                response = connection.getresponse()
                if response.status not in REDIRECTS:
                    return self._answer(response)
                target = response.getheader("Location") or ""
            following = address(target, base=parts.geturl(), schemes=self.schemes)
            if parts.scheme == "https" and following.scheme == "http":
                raise NotFetched(Why.UNENCRYPTED)
            parts = following
        raise NotFetched(Why.MOVES_ON)

    def _connection(self, parts: SplitResult) -> http.client.HTTPConnection:
        """A connection to a checked address of this host; the name is not looked up again."""
        host = _ascii(parts.hostname or "")
        is_tls = parts.scheme == "https"
        port = parts.port or (443 if is_tls else 80)
        try:
            addresses = self.resolve(host, port)
        except socket.gaierror as error:
            is_known = error.errno not in NO_SUCH_NAME
            raise NotFetched(Why.UNREACHABLE if is_known else Why.NO_SUCH_HOST) from None
        except (OSError, UnicodeError):
            raise NotFetched(Why.NO_SUCH_HOST) from None
        if not addresses or not all(self.allowed(each) for each in addresses):
            raise NotFetched(Why.NOT_PUBLIC)
        self.socket = self._socket(addresses, port)
        if is_tls:
            context = self.tls or ssl.create_default_context()
            self.socket = context.wrap_socket(self.socket, server_hostname=host)
        kind = http.client.HTTPSConnection if is_tls else http.client.HTTPConnection
        connection = kind(host, port)
        connection.sock = self.socket
        return connection

    def _socket(self, addresses: Sequence[str], port: int) -> socket.socket:
        for number, each in enumerate(addresses, start=1):
            patience = min(self._left(), SECONDS_TO_CONNECT)
            try:
                made = socket.create_connection((each, port), timeout=patience)
            except OSError:
                if number == len(addresses):
                    raise
            else:
                made.settimeout(self._left())
                return made
        raise AssertionError("There is at least one address.")

    def _answer(self, response: http.client.HTTPResponse) -> Answer:
        wanted = response.status == 200 and self.most_bytes > 0
        content = self._body(response) if wanted else b""
        return Answer(response.status, response.headers, content)

    def _body(self, response: http.client.HTTPResponse) -> bytes:
        coding = (response.getheader("Content-Encoding") or "identity").strip().lower()
        if coding not in ("identity", "gzip", "x-gzip", ""):
            raise NotFetched(Why.UNREADABLE)
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
            room = self.most_bytes + 1 - len(content)
            content += unpack.decompress(piece, room) if unpack else piece
            if received > self.most_bytes or len(content) > self.most_bytes:
                raise NotFetched(Why.TOO_BIG)
        if response.length or (unpack is not None and not unpack.eof):
            raise NotFetched(Why.INCOMPLETE)
        return bytes(content)

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise NotFetched(Why.TOO_SLOW)
        return left


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
