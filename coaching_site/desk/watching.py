"""Pages one watches come again by themselves while something moves, unless that is not wanted.

By a header and no script; the way to stop it stands on the page (WCAG 2.2.1).
"""

from __future__ import annotations

from typing import Any, TypeVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase

SECONDS = 5
# The parameter that asks for a page which stands still.
STILL = "ruhig"

Response = TypeVar("Response", bound=HttpResponseBase)


def context(request: HttpRequest, *, moves: bool) -> dict[str, Any]:
    """What `admin/desk/work/_watching.html` needs: whether it moves, and whether the page follows."""
    return {"moves": moves, "refreshes": moves and STILL not in request.GET}


def again(response: Response, context: dict[str, Any]) -> Response:
    """The same page, asked for again after a while if it is to follow."""
    if context["refreshes"]:
        response["Refresh"] = str(SECONDS)
    return response
