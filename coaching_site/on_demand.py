"""Modules whose libraries weigh so much that a process reads them only once it needs them.

Type checkers are told of the module by a plain import:

    if TYPE_CHECKING:
        from pages import legal_pdf
    else:
        legal_pdf = on_demand.Module("pages.legal_pdf")
"""

from __future__ import annotations

import importlib
from typing import Any


class Module:
    """Stands for a module, which is imported when something of it is first used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)
