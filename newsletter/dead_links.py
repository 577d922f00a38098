"""Asks every foreign page an issue links to, once, whether it is still there."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from coaching_site import fetching
from coaching_site.fetching import Check, NotFetched, Resolver, Why
from newsletter.models import Issue
from newsletter.preflight import Problem, is_own, quoted
from newsletter.rendering import contents

SECONDS = 20.0  # for all links of an issue
SECONDS_A_LINK = 6.0
LINKS_AT_ONCE = 8
NOT_THERE = (404, 410)
# What says that readers will find nothing; whatever else goes wrong may be well tomorrow.
LOST = {
    Why.NOT_AN_ADDRESS: "hat keine Adresse, die man aufrufen kann",
    Why.WITH_LOGIN: "enthält einen Benutzernamen oder ein Kennwort",
    Why.NOT_PUBLIC: "führt in ein privates Netz, in das deine Leser nicht kommen",
    Why.NO_SUCH_HOST: "führt ins Leere: Den Server gibt es nicht",
}
UNSURE = {
    Why.TOO_SLOW: "hat nicht rechtzeitig geantwortet",
    Why.CERTIFICATE: "hat kein gültiges Zertifikat",
    Why.MOVES_ON: "leitet zu oft um",
    Why.UNENCRYPTED: "leitet auf eine unverschlüsselte Adresse um",
}


def dead_links(
    issue: Issue,
    *,
    seconds: float = SECONDS,
    allowed: Check = fetching.is_public,
    resolve: Resolver = fetching.system_resolver,
) -> list[Problem]:
    """The links that lead nowhere, which block, and those that could not be made sure of.

    Asks the network, so it belongs outside of every transaction, and takes `seconds` at most.
    """
    by_url: dict[str, str] = {}
    for link in contents.of(issue.body).links:
        if link.url.lower().startswith(("http://", "https://")) and not is_own(link.url):
            by_url.setdefault(link.url, link.text)
    ask = partial(_problem, end=time.monotonic() + seconds, allowed=allowed, resolve=resolve)
    with ThreadPoolExecutor(LINKS_AT_ONCE, thread_name_prefix="dead-links") as pool:
        found = pool.map(ask, by_url.items())
        return [problem for problem in found if problem is not None]


def _problem(
    link: tuple[str, str], *, end: float, allowed: Check, resolve: Resolver
) -> Problem | None:
    url, text = link
    try:
        status = fetching.get(
            url,
            deadline=min(end, time.monotonic() + SECONDS_A_LINK),
            most_bytes=0,
            headers={"Accept": "text/html, */*;q=0.1"},
            allowed=allowed,
            resolve=resolve,
        ).status
    except NotFetched as failure:
        return _failed(failure.why, text, url)
    if status in NOT_THERE:
        return _dead(text, url, f"führt ins Leere (Antwort {status})")
    if status >= 400:
        return _unsure(text, url, f"ließ sich nicht prüfen (Antwort {status})")
    return None


def _failed(why: Why, text: str, url: str) -> Problem:
    if why in LOST:
        return _dead(text, url, LOST[why])
    return _unsure(text, url, UNSURE.get(why, "war nicht zu erreichen"))


def _dead(text: str, url: str, what: str) -> Problem:
    said = f"Der Link {quoted(text)} {what}: {url} Berichtige ihn oder nimm ihn heraus."
    return Problem("dead_link", said)


def _unsure(text: str, url: str, what: str) -> Problem:
    said = f"Der Link {quoted(text)} {what}: {url} Öffne ihn einmal selbst."
    return Problem("unsure_link", said, blocks=False)
