"""Everything the sandbox remembers, as plain JSON, in memory or in a file."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from tests.stripe_sandbox.spec import Json

Objects = dict[str, Json]  # by id, in the order they were made


@dataclass
class State:
    sessions: Objects = field(default_factory=dict)
    line_items: Objects = field(default_factory=dict)
    # What a session passes on to its PaymentIntent, and what only its page shows.
    plans: Objects = field(default_factory=dict)
    intents: Objects = field(default_factory=dict)
    charges: Objects = field(default_factory=dict)
    refunds: Objects = field(default_factory=dict)
    disputes: Objects = field(default_factory=dict)
    customers: Objects = field(default_factory=dict)
    events: Objects = field(default_factory=dict)
    deliveries: list[Json] = field(default_factory=list)
    answers: Objects = field(default_factory=dict)  # by idempotency key
    clock_ahead: float = 0.0

    @classmethod
    def load(cls, file: Path | None) -> State:
        if file is None or not file.exists():
            return cls()
        kept = json.loads(file.read_text())
        known = {entry.name for entry in fields(cls)}
        return cls(**{name: value for name, value in kept.items() if name in known})

    def save(self, file: Path | None) -> None:
        """Replace the file as a whole: whoever kills the process finds the old or the new one."""
        if file is None:
            return
        text = json.dumps(asdict(self))
        if file.exists() and file.read_text() == text:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(file.name + ".new")
        fresh.write_text(text)
        os.replace(fresh, file)
