"""Public pages that are the same for everyone: kept as bytes until something they show changes.

What changes is told by Postgres (`coaching_site.news`); what comes and goes with time, like a slot
whose notice has run out, shows with the next full minute. Nothing has to be invalidated by hand,
and a process that cannot hear of changes makes each page anew.
"""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Concatenate, ParamSpec

import brotli
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils import timezone
from django.utils.cache import patch_cache_control, patch_vary_headers

from coaching_site import news

MOST_PAGES = 512
# What the best compression saves over this costs more time than the line takes for it.
BROTLI_QUALITY = 6

SAID_AGAIN = ("Cache-Control", "ETag", "Vary")

Asked = ParamSpec("Asked")
View = Callable[Concatenate[HttpRequest, Asked], HttpResponse]
Handler = Callable[[HttpRequest], HttpResponse]
# What to do whenever somebody is shown a page, however it came about.
Shown = Callable[[HttpRequest], None]
# When it was made: the edition (None: unknown), and the minute since 1970.
Moment = tuple[int | None, int]
Key = tuple[str, Moment]


class Page:
    """An answer, and how it looks packed: it holds no secret that its length could give away."""

    def __init__(self, response: HttpResponse, shown: Shown) -> None:
        self.shown = shown
        self._plain = response.content
        self._tag = f'"{hashlib.sha256(self._plain).hexdigest()[:32]}"'
        patch_vary_headers(response, ("Accept-Encoding",))
        if not response.has_header("Cache-Control"):
            # Caches may keep it, but ask whether it still is the same: a change shows at once.
            patch_cache_control(response, public=True, no_cache=True)
        # Weak (RFC 9110 section 8.8.1): it stands for the page, however it is packed.
        self._headers = {**response.headers, "ETag": f"W/{self._tag}"}
        self._packed: dict[str, bytes] = {}

    def is_known_to(self, request: HttpRequest) -> bool:
        # The weak comparison of RFC 9110 section 13.1.2: only what stands in quotes counts.
        known = request.META.get("HTTP_IF_NONE_MATCH", "")
        return self._tag in known or known == "*"

    def unchanged(self) -> HttpResponse:
        """That the browser has it already (304), with the fields that RFC 9110 wants in 15.4.5."""
        fields = {name: self._headers[name] for name in SAID_AGAIN}
        return HttpResponseNotModified(headers=fields)

    def answer(self, request: HttpRequest) -> HttpResponse:
        """The page as this browser takes it, or that word."""
        self.shown(request)
        if self.is_known_to(request):
            return self.unchanged()
        packing = _packing(request.META.get("HTTP_ACCEPT_ENCODING", ""))
        if packing not in self._packed:
            self._packed[packing] = _pack(self._plain, packing)
        response = HttpResponse(self._packed[packing], headers=self._headers)
        if packing:
            response["Content-Encoding"] = packing
        return response


# Of one moment alone: none of another is ever shown again.
_pages: dict[Key, Page] = {}
_lock = threading.Lock()


def _nobody_counts(request: HttpRequest) -> None: ...


def until_it_changes(
    *, query_counts: bool = True, shown: Shown = _nobody_counts
) -> Callable[[View[Asked]], View[Asked]]:
    """For views that ask nothing of the visitor but the page's address.

    With `query_counts=False` only the address up to its „?“ counts, for pages that ask nothing
    there. What a view answers that is not for everyone (an error, a cookie, `no-store`, `private`)
    is passed on and never kept. `shown` is called for each page that is.
    """

    def decorate(view: View[Asked]) -> View[Asked]:
        @wraps(view)
        def wrapped(
            request: HttpRequest, /, *args: Asked.args, **kwargs: Asked.kwargs
        ) -> HttpResponse:
            key = _key(request.get_full_path() if query_counts else request.path)
            page = _pages.get(key)
            if page is None:
                response = view(request, *args, **kwargs)
                if not _is_for_everyone(response):
                    return response
                page = Page(response, shown)
                if key[1][0] is not None:
                    _keep(key, page)
            return page.answer(request)

        return wrapped

    return decorate


def known_at_once(get_response: Handler) -> Handler:
    """Middleware that tells who has a kept page already, before anything is made ready for a page."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if "HTTP_IF_NONE_MATCH" in request.META and request.method in ("GET", "HEAD"):
            request.get_host()  # raises DisallowedHost
            page = _pages.get(_key(request.get_full_path()))
            if page is not None and page.is_known_to(request):
                page.shown(request)
                return page.unchanged()
        return get_response(request)

    return middleware


def _key(address: str) -> Key:
    return address, (news.edition(), int(timezone.now().timestamp()) // 60)


def _keep(key: Key, page: Page) -> None:
    with _lock:
        oldest = next(iter(_pages), key)
        if oldest[1] != key[1]:
            _pages.clear()
        elif len(_pages) >= MOST_PAGES:
            del _pages[oldest]
        _pages[key] = page


def _is_for_everyone(response: HttpResponse) -> bool:
    said = response.get("Cache-Control", "")
    is_held_back = "no-store" in said or "private" in said
    return response.status_code == 200 and not response.cookies and not is_held_back


def _pack(plain: bytes, packing: str) -> bytes:
    match packing:
        case "br":
            return bytes(brotli.compress(plain, mode=brotli.MODE_TEXT, quality=BROTLI_QUALITY))
        case "gzip":
            return gzip.compress(plain)
        case _:
            return plain


@lru_cache(maxsize=256)
def _packing(accepted: str) -> str:
    """The best coding a browser takes (RFC 9110 section 12.5.3); one with q=0 it refuses."""
    codings = (each.replace(" ", "").lower().partition(";q=") for each in accepted.split(","))
    welcome = {name for name, _, weight in codings if weight.strip("0.") or not weight}
    return next((each for each in ("br", "gzip") if each in welcome), "")
