"""Rendered public pages, kept by everything they were made of.

The rows a page shows are read anew for every request; only turning the same rows into the same
words again is saved. So a change shows at once, on every host, and nothing has to be invalidated.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.cache import get_conditional_response, patch_vary_headers

MOST_PAGES = 256

ACCEPTS_GZIP = re.compile(r"\bgzip\b")


@dataclass(frozen=True)
class Kept:
    """A page as text, and compressed: it holds no secret that its length could give away."""

    plain: bytes
    gzipped: bytes
    # Weak (RFC 9110 section 8.8.1): it stands for the page, however it is packed.
    etag: str


_pages: OrderedDict[tuple[str, Hashable], Kept] = OrderedDict()
_lock = threading.Lock()


def render(
    request: HttpRequest,
    template: str,
    context: Callable[[], Mapping[str, Any]],
    *,
    facts: Hashable,
    query_counts: bool = True,
) -> HttpResponse:
    """Render a page that is the same for everyone, or take the one that was made of these facts.

    `facts` must hold whatever `context` is made of besides the page's address, which counts anyway;
    with `query_counts=False` only up to its „?“, for pages that ask nothing there. Whoever has the
    page already is told so (304). A page with a form's token or anything personal must not come here.
    """
    address = request.get_full_path() if query_counts else request.path
    key = (template, (address, facts))
    with _lock:
        page = _pages.get(key)
        if page is not None:
            _pages.move_to_end(key)
    if page is None:
        plain = render_to_string(template, dict(context()), request).encode()
        etag = f'W/"{hashlib.sha256(plain).hexdigest()}"'
        page = Kept(plain, gzip.compress(plain), etag)
        with _lock:
            _pages[key] = page
            while len(_pages) > MOST_PAGES:
                _pages.popitem(last=False)
    return _answer(request, page)


def _answer(request: HttpRequest, page: Kept) -> HttpResponse:
    if ACCEPTS_GZIP.search(request.headers.get("Accept-Encoding", "")):
        response = HttpResponse(page.gzipped, headers={"Content-Encoding": "gzip"})
    else:
        response = HttpResponse(page.plain)
    response["ETag"] = page.etag
    patch_vary_headers(response, ("Accept-Encoding",))
    return get_conditional_response(request, page.etag, None, response) or response


def row(model: Model | None) -> Hashable:
    """All that the database knows of a row, as a fact."""
    if model is None:
        return None
    return tuple(repr(model.__dict__[field.attname]) for field in model._meta.concrete_fields)
