"""The hosted page a guest pays on, with buttons instead of card numbers and no JavaScript."""

from __future__ import annotations

from html import escape
from string import Template

from tests.stripe_sandbox.account import Account
from tests.stripe_sandbox.spec import Json

SIGNS = {"eur": "€", "usd": "$", "gbp": "£", "chf": "CHF"}

PAGE = Template("""<!doctype html>
<html lang="de">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>$title</title>
<style>
:root { color-scheme: light dark; --ink: #1d2433; --soft: #5a6478; --paper: #fff; --ground: #f3f4f8;
  --line: #d5d9e3; --act: #3b4fd8; --on-act: #fff; --warn: #fff3cd; --warn-ink: #664d03;
  --bad: #fde8e8; --bad-ink: #8f1d1d; }
@media (prefers-color-scheme: dark) { :root { --ink: #eceff6; --soft: #a9b2c5; --paper: #1d2230;
  --ground: #12151e; --line: #3a4256; --act: #8f9dff; --on-act: #10131c; --warn: #4a3b0c;
  --warn-ink: #ffe9a8; --bad: #4d1b1f; --bad-ink: #ffc9c9; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 1.0625rem/1.5 system-ui, sans-serif; }
.test { margin: 0; padding: .75rem 1rem; background: var(--warn); color: var(--warn-ink);
  text-align: center; font-weight: 600; }
main { max-width: 27rem; margin: 2rem auto; padding: 0 1rem; }
.card { background: var(--paper); border: 1px solid var(--line); border-radius: .75rem;
  padding: 1.5rem; }
h1 { font-size: 1.125rem; font-weight: 600; margin: 0 0 .25rem; }
.amount { font-size: 2.25rem; font-weight: 700; line-height: 1.2; margin: 0 0 1.25rem; }
dl { margin: 0 0 1.25rem; padding: 1rem 0; border: solid var(--line); border-width: 1px 0; }
dl div { display: flex; justify-content: space-between; gap: 1rem; }
dt { color: var(--soft); }
dd { margin: 0; text-align: right; overflow-wrap: anywhere; }
.error { background: var(--bad); color: var(--bad-ink); border-radius: .5rem; margin: 0 0 1.25rem;
  padding: .75rem 1rem; }
button { display: block; width: 100%; min-height: 3rem; margin: 0 0 .75rem; padding: .5rem 1rem;
  border: 1px solid var(--act); border-radius: .5rem; font: inherit; font-weight: 600;
  cursor: pointer; background: var(--act); color: var(--on-act); }
button.second { background: transparent; color: var(--act); }
button:focus-visible, a:focus-visible { outline: 3px solid var(--act); outline-offset: 2px; }
a { color: var(--act); display: inline-block; padding: .5rem 0; }
.note { color: var(--soft); font-size: .9375rem; margin: 1rem 0 0; }
</style>
</head>
<body>
<header class="test">Testzahlung – kein echtes Geld</header>
<main>
$content
</main>
</body>
</html>
""")

OPEN = Template("""<div class="card">
<h1>$product</h1>
<p class="amount">$amount</p>
$error
<dl>
$rows
</dl>
<form method="post">
<button name="ende" value="bezahlen">Bezahlen</button>
<button class="second" name="ende" value="ablehnen">Karte ablehnen lassen</button>
</form>
$back
</div>
<p class="note">Diese Seite steht für die Bezahlseite von Stripe, solange auf diesem Rechner
ausprobiert wird. Du brauchst keine Karte: Wähle einfach, wie die Zahlung ausgehen soll.</p>""")

CLOSED = Template("""<div class="card">
<h1>$headline</h1>
<p>$text</p>
$back
</div>""")

REFUSED = """<p class="error" role="alert">Deine Karte wurde abgelehnt. Es wurde nichts abgebucht.
Versuche es noch einmal oder geh zurück.</p>"""


def render(account: Account, session: Json) -> str:
    if session["status"] == "open":
        return _payable(account, session)
    if session["status"] == "complete":
        link = _link(return_url(session), "Weiter zur Buchung")
        if session["payment_status"] == "paid":
            text = f"{money(session)} für „{product(account, session)}“ sind bezahlt."
            return _closed("Schon bezahlt", text, link)
        text = "Die Zahlung ist unterwegs. Das Geld kommt in einigen Tagen an."
        return _closed("Zahlung unterwegs", text, link)
    text = "Auf dieser Seite kann nicht mehr bezahlt werden. Es wurde nichts abgebucht."
    return _closed("Die Zeit ist abgelaufen", text, _link(session["cancel_url"], "Zurück"))


def unknown() -> str:
    return _closed("Diese Zahlung gibt es nicht", "Prüfe bitte den Link.", "")


def money(session: Json) -> str:
    cents, currency = session["amount_total"], session["currency"]
    whole = f"{cents // 100:,}".replace(",", ".")
    return f"{whole},{cents % 100:02}\u00a0{SIGNS.get(currency, currency.upper())}"


def product(account: Account, session: Json) -> str:
    items = account.state.line_items[session["id"]]["items"]
    return ", ".join(item["description"] for item in items)


def return_url(session: Json) -> str:
    """The placeholder is replaced as it stands; encoded braces stay what they are."""
    url: str = session["success_url"]
    return url.replace("{CHECKOUT_SESSION_ID}", session["id"])


def _payable(account: Account, session: Json) -> str:
    intent = account.state.intents.get(session["payment_intent"] or "")
    rows = {
        "Empfänger": "Testkonto ohne Geld",
        "Zahlungsart": "Testkarte •••• 4242",
        "E-Mail": session["customer_email"],
    }
    content = OPEN.substitute(
        product=escape(product(account, session)),
        amount=escape(money(session)),
        error=REFUSED if intent and intent["last_payment_error"] else "",
        rows="\n".join(
            f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>"
            for name, value in rows.items()
            if value
        ),
        back=_link(session["cancel_url"], "Zurück"),
    )
    return PAGE.substitute(title=f"{escape(money(session))} bezahlen (Test)", content=content)


def _closed(headline: str, text: str, link: str) -> str:
    content = CLOSED.substitute(headline=headline, text=escape(text), back=link)
    return PAGE.substitute(title=headline, content=content)


def _link(url: str | None, words: str) -> str:
    return f'<a href="{escape(url)}">{words}</a>' if url else ""
