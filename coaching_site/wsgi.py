"""The WSGI entry point gunicorn serves."""

import os
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from django.core.wsgi import get_wsgi_application
from django.utils.http import parse_header_parameters

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "coaching_site.settings")


def read_as_utf8(site: WSGIApplication) -> WSGIApplication:
    """Read every address and form as UTF-8, whatever its header claims.

    Browsers send forms in the page's encoding, which is ours. A header may name any codec Python
    knows, and some of them (`hex`) do not yield text at all: Django's request object would fail by
    it, before there is a middleware that could help.
    """

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        kind, told = parse_header_parameters(environ.get("CONTENT_TYPE", ""))
        if told.pop("charset", None) is not None:
            environ["CONTENT_TYPE"] = "; ".join([kind, *(f'{n}="{v}"' for n, v in told.items())])
        return site(environ, start)

    return answer


application = read_as_utf8(get_wsgi_application())
