"""python -m tests.stripe_sandbox: a Stripe on this machine until it is told to stop."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from tests.stripe_sandbox.sandbox import SECRET, Sandbox


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.stripe_sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=12111)
    parser.add_argument("--webhook", metavar="URL", help="where events are sent to")
    parser.add_argument("--secret", default=SECRET, help="signs them (whsec_…)")
    parser.add_argument("--store", type=Path, metavar="FILE", help="keeps all across restarts")
    parser.add_argument("--manual", action="store_true", help="send no events by itself")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    sandbox = Sandbox(
        port=asked.port,
        webhook_url=asked.webhook,
        webhook_secret=asked.secret,
        store=asked.store,
        mode="manual" if asked.manual else "automatic",
        retry_after=(1, 5, 30),
    )
    with sandbox:
        sys.stdout.write(f"Stripe sandbox: {sandbox.base_url}, key {sandbox.api_key}\n")
        sys.stdout.flush()
        stop.wait()


if __name__ == "__main__":
    main()
