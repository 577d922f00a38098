"""What Stripe says when it refuses (https://docs.stripe.com/api/errors)."""

from __future__ import annotations

from typing import Any


class StripeError(Exception):
    """An error answer. `kept` tells whether its idempotency key remembers it.

    Stripe keeps an answer once the endpoint has begun to work, whatever it is; what already fails
    at the parameters is not kept (https://docs.stripe.com/api/idempotent_requests).
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        kept: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kept = kept
        self.body: dict[str, Any] = {"type": kind, "message": message}
        optional = {"code": code, "param": param, **more}
        self.body |= {name: value for name, value in optional.items() if value is not None}

    @property
    def code(self) -> str | None:
        return self.body.get("code")


def missing(param: str) -> StripeError:
    return StripeError(f"Missing required param: {param}.", code="parameter_missing", param=param)


def no_such(kind: str, reference: str, param: str = "id") -> StripeError:
    """404 for the object in the path, 400 for one that a parameter names."""
    return StripeError(
        f"No such {kind}: '{reference}'",
        status=404 if param == "id" else 400,
        code="resource_missing",
        param=param,
    )


def unknown_path(method: str, path: str) -> StripeError:
    return StripeError(f"Unrecognized request URL ({method}: {path}).", status=404)


def no_key() -> StripeError:
    return StripeError(
        "You did not provide an API key. You need to provide your API key in the Authorization "
        "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        status=401,
    )


def unknown_key(key: str) -> StripeError:
    return StripeError(f"Invalid API Key provided: {key[:8]}****", status=401)


def unexpected() -> StripeError:
    return StripeError("An unknown error occurred.", status=500, kind="api_error", kept=True)
