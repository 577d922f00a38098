"""The coach's page of mails: how each looks, a copy for oneself, and its words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from csp.constants import SELF
from csp.decorators import csp_update
from django.contrib import admin, messages
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from coaching_site import limits, mail
from coaching_site.desk import mail_register
from coaching_site.desk.mail_forms import WordingForm
from coaching_site.desk.mail_register import Mail
from coaching_site.mail_frames import framed
from pages import mail_wording
from pages.mail_wording import PLACEHOLDERS, Words
from pages.models import MailWording

View = Callable[..., HttpResponseBase]
MailView = Callable[[HttpRequest, Mail], HttpResponseBase]

LOOK, CHANGE = "pages.view_mailwording", "pages.change_mailwording"
# So many copies of mails one user may send to themselves.
TRIALS, PER = 30, timedelta(hours=1)
# Words that are looked at before they are saved travel in the frame's address, signed.
UNSAVED, SALT = "worte", "mail.unsaved"


def urls(view: Callable[[View], View]) -> list[URLPattern]:
    """The addresses below the desk's own; `view` is what lets only the desk's users in."""
    return [
        path("mails/", view(index), name="mails"),
        path("mails/<str:key>/", view(one), name="mail"),
        path("mails/<str:key>/html/", view(html), name="mail_html"),
        path("mails/<str:key>/probe/", view(to_oneself), name="mail_to_oneself"),
        path("mails/<str:key>/zuruecksetzen/", view(reset), name="mail_reset"),
    ]


def about_one(permission: str) -> Callable[[MailView], View]:
    """A page about one mail of the register, for whoever has this permission."""

    def decorate(page: MailView) -> View:
        @wraps(page)
        def wrapped(request: HttpRequest, key: str) -> HttpResponseBase:
            if not request.user.has_perm(permission):
                raise PermissionDenied
            wanted = mail_register.REGISTER.get(key)
            if wanted is None:
                raise Http404
            return page(request, wanted)

        return wrapped

    return decorate


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """All mails, by what they are about."""
    if not request.user.has_perm(LOOK):
        raise PermissionDenied
    worded = set(MailWording.objects.values_list("key", flat=True))
    context = {"groups": list(mail_register.by_group()), "worded": worded}
    return _page(request, "index", "Mails", context)


@require_http_methods(["GET", "HEAD", "POST"])
@about_one(LOOK)
def one(request: HttpRequest, wanted: Mail) -> HttpResponseBase:
    """How a mail looks; its words are looked at before they are saved, or saved."""
    saved = _saved(wanted)
    form = _form(request, wanted, saved)
    words = saved
    if form is not None and form.is_valid():
        words = form.words
        if "save" in request.POST:
            return _keep(request, wanted, words)
    unsaved = words if words != saved else None
    message = mail_register.shown(wanted, now=timezone.now(), own=words)
    if form is not None:
        form.tell_house("" if words.subject else str(message.subject))
    context = {
        "mail": wanted,
        "message": message,
        "files": [file.filename for file in message.attachments],
        "form": form,
        "is_worded": saved != Words(),
        "is_unsaved": unsaved is not None,
        "doubts": mail_wording.doubts(wanted.key, words),
        "placeholders": _placeholders(wanted),
        "light": _frame(wanted, unsaved),
        "dark": _frame(wanted, unsaved, dunkel="ja"),
    }
    shown = _page(request, "mail", wanted.name, context)
    return csp_update({"frame-src": [SELF]})(lambda _: shown)(request)


@require_safe
@about_one(LOOK)
def html(request: HttpRequest, wanted: Mail) -> HttpResponseBase:
    """The mail's HTML alone, for a frame."""
    message = mail_register.shown(wanted, now=timezone.now(), own=_unsigned(request))
    return framed(request, str(message.alternatives[0][0]))


@require_POST
@about_one(LOOK)
def to_oneself(request: HttpRequest, wanted: Mail) -> HttpResponse:
    """Send a copy with sample data to whoever asks for it."""
    there = redirect("admin:mail", wanted.key)
    now, address = timezone.now(), getattr(request.user, "email", "")
    if not address:
        messages.error(
            request, "Zu deinem Zugang gehört keine E-Mail-Adresse. Trag sie unter „Benutzer“ ein."
        )
        return there
    try:
        limits.hit("mails.trial", str(request.user.pk), limit=TRIALS, per=PER, now=now)
        mail.hand_over(mail_register.trial(wanted, to=address, now=now))
    except limits.TooMany as error:
        messages.error(request, error.message)
    except mail.Undeliverable:
        messages.error(
            request, f"Der Mailserver nimmt für {address} nichts an. Stimmt die Adresse?"
        )
    except (mail.Deferred, OSError):
        messages.error(
            request,
            "Der Mailserver nimmt gerade nichts an oder ist nicht zu erreichen. Verschickt ist nichts; "
            "versuch es später noch einmal.",
        )
    else:
        messages.success(request, f"Die Probe ist unterwegs an {address}.")
    return there


@require_http_methods(["GET", "HEAD", "POST"])
@about_one(CHANGE)
def reset(request: HttpRequest, wanted: Mail) -> HttpResponse:
    """Back to the house's words, after one more question."""
    if request.method == "POST":
        mail_register.reword(wanted, Words())
        messages.success(request, "Zurückgesetzt. Es gelten wieder unsere Worte.")
        return redirect("admin:mail", wanted.key)
    context = {"mail": wanted, "own": _saved(wanted)}
    return _page(request, "reset", "Auf unsere Worte zurücksetzen", context)


def _form(request: HttpRequest, wanted: Mail, saved: Words) -> WordingForm | None:
    """The form of a mail whose words are open, for whoever may change them."""
    is_sent = request.method == "POST"
    if wanted.words is None or not request.user.has_perm(CHANGE):
        if is_sent:
            raise PermissionDenied
        return None
    return WordingForm(
        request.POST if is_sent else None, mail=wanted.words, initial=dict(vars(saved))
    )


def _keep(request: HttpRequest, wanted: Mail, words: Words) -> HttpResponse:
    mail_register.reword(wanted, words)
    messages.success(request, "Gespeichert. Ab jetzt gehen die Mails mit diesen Worten hinaus.")
    return redirect("admin:mail", wanted.key)


def _saved(wanted: Mail) -> Words:
    row = MailWording.objects.filter(key=wanted.key).first()
    return row.words if row else Words()


def _frame(wanted: Mail, unsaved: Words | None, **asked: str) -> str:
    """The address of the mail's HTML with these words, or the saved ones."""
    if unsaved is not None:
        asked[UNSAVED] = signing.dumps(vars(unsaved), salt=SALT, compress=True)
    return f"{reverse('admin:mail_html', args=[wanted.key])}?{urlencode(asked)}"


def _placeholders(wanted: Mail) -> list[tuple[str, str, bool]]:
    """What may be typed, what becomes of it, and whether a subject may hold it."""
    if wanted.words is None:
        return []
    return [
        (f"{{{name}}}", PLACEHOLDERS[name], name in wanted.words.in_subject)
        for name in wanted.words.placeholders
    ]


def _unsigned(request: HttpRequest) -> Words | None:
    """The words the frame was asked for; None for the saved ones."""
    if UNSAVED not in request.GET:
        return None
    try:
        return Words(**signing.loads(request.GET[UNSAVED], salt=SALT))
    except (signing.BadSignature, TypeError):  # or signed when words had other parts
        raise Http404 from None


def _page(request: HttpRequest, name: str, title: str, context: dict[str, Any]) -> HttpResponse:
    whole = {
        **admin.site.each_context(request),
        "opts": MailWording._meta,
        "title": title,
        "may_change": request.user.has_perm(CHANGE),
        **context,
    }
    return TemplateResponse(request, f"admin/desk/mails/{name}.html", whole)
