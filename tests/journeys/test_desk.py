"""The coach's pages, as axe finds them in light and dark, and on a phone."""

from __future__ import annotations

from tests.journeys.looking import looking_window, problems_at_the_desk
from tests.journeys.test_booking import mail_for
from tests.journeys.test_issues import audience, sign_in
from tests.journeys.test_paying import heading, new_guest, order, walk_to_the_review
from tests.journeys.test_withdrawing import WHOLE

DESK = "/verwaltung/"
LISTS = [
    "",
    "einrichten/",
    "booking/booking/",
    "booking/booking/add/",
    "booking/booking/warum-belegt/",
    "booking/invoice/",
    "booking/invoice/monat/",
    "auth/user/",
    "auth/user/add/",
    "password_change/",
    "menschen/",
    "menschen/?q=jörg",
    "desk/personrequest/",
    "desk/personrequest/person/",
    "kalender/",
    "kalender/monat/",
    "kalender/sperren/",
    "kalender/sperren/?first_day=2026-01-05&last_day=2026-01-11",
    "kalender/oeffnen/",
    "newsletter/subscriber/",
    "zahlen/",
    "newsletter/import/add/",
    "pages/legaltext/",
    "pages/legaltext/terms/bearbeiten/",
    "pages/legaltext/terms/veroeffentlichen/",
    "pages/legaltext/terms/fassungen/",
    "mails/",
    "mails/booking.confirmation_guest/",
    "arbeiten/",
    "zwei-schritte/",
    "zwei-schritte/einrichten/",
]
OF_A_BOOKING = ["change", "history", "absagen", "verschieben", "anschrift", "schlussrechnung"]
OF_A_READER = ["change", "nachweis", "loeschen"]
ROWS = """
    SELECT b.id, i.id, b.calendar_id, b.call_type_id, (SELECT id FROM newsletter_subscriber WHERE address = %s)
    FROM booking_booking b JOIN booking_invoice i ON i.booking_id = b.id WHERE b.email = %s
"""


def test_the_desk_is_open_to_all(browser, site):
    context = looking_window(browser, site.url)
    page = context.new_page()
    guest = new_guest()
    site.query(WHOLE)
    walk_to_the_review(page, guest, day=1)
    order(page)
    page.get_by_role("button", name="Bezahlen").click()
    heading(page, "Dein Termin ist gebucht")
    mail_for(site, guest, "Gespräch mit")
    audience(site, guest, guest)
    [(booking, invoice, calendar, call_type, reader)] = site.query(ROWS, guest, guest)
    page.goto(f"{DESK}login/")
    # Somebody's password manager may fill it in, and nothing is to be solved (WCAG 3.3.8).
    for name, known_as in (("Benutzername", "username"), ("Passwort", "current-password")):
        assert page.get_by_label(name).get_attribute("autocomplete") == known_as
    sign_in(page, site)

    found = {}
    for path in [
        *LISTS,
        *(f"booking/booking/{booking}/{name}/" for name in OF_A_BOOKING),
        f"menschen/termin/{booking}/",
        f"booking/invoice/{invoice}/change/",
        f"booking/invoice/{invoice}/bezahlt/",
        f"booking/calendar/{calendar}/change/",
        f"booking/calltype/{call_type}/change/",
        *(f"newsletter/subscriber/{reader}/{name}/" for name in OF_A_READER),
        "pages/practice/1/change/",
    ]:
        answer = page.goto(DESK + path)
        assert answer
        if wrong := [*problems_at_the_desk(page), *([] if answer.ok else [str(answer.status)])]:
            found[path] = wrong
    context.close()

    assert found == {}
