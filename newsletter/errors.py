"""What can go wrong, each with the sentence the reader sees."""

from __future__ import annotations


class NewsletterError(Exception):
    message = "Das hat nicht geklappt."


class LinkGone(NewsletterError):
    """The link was never ours, has expired, or was overtaken by an unsubscription."""

    message = "Dieser Link gilt nicht mehr."


class ImportRefused(NewsletterError):
    """The uploaded file cannot be a list; the sentence says why, and what would help."""

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)
