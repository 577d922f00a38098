"""A Stripe on this machine: stateful, judged by Stripe's own description, made to go wrong.

How it is built, from the outside in:

- `server` speaks HTTP; `gate` lets a request in (key, version, faults, idempotency);
- `api` finds the operation, `contract` reads its parameters, `listing` and `expand` shape answers;
- `sessions` (with `session_rules`), `payments`, `refunds`, `disputes` and `customers` do what
  Stripe does, on an `account`;
- `webhooks` sends the account's events, `checkout_page` is where a guest pays;
- `state` is all that is remembered, `spec` is Stripe's description, `shape` compares answers to it;
- `sandbox` is the handle for tests, `control` the same over HTTP for a process of its own.

Only the standard library is needed to run it.
"""

from tests.stripe_sandbox.account import SUBSCRIBED
from tests.stripe_sandbox.sandbox import Sandbox
from tests.stripe_sandbox.webhooks import Answer

__all__ = ["SUBSCRIBED", "Answer", "Sandbox"]
