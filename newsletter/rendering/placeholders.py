"""The few words of an issue that differ from person to person.

The coach writes `{{ vorname | Hallo }}`: a name, and what stands there for whoever gave none. While
an issue is built once for everyone, marks keep their places; for each mail they are filled in.
"""

from __future__ import annotations

# Two characters of Unicode's private use area: nobody writes them, nothing escapes them.
BEGIN, END = "\ue000", "\ue001"

# What the coach may write.
FIRST_NAME, NAME = "vorname", "name"
WORDS = (FIRST_NAME, NAME)
# What only the footer holds.
UNSUBSCRIBE, PREFERENCES = "abmelden", "einstellungen"


def mark(word: str, fallback: str = "") -> str:
    """The mark that keeps the place of a word; it passes Markdown, HTML and CSS unchanged."""
    return f"{BEGIN}{word}|{fallback}{END}"
