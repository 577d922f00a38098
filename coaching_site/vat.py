"""VAT as prices and papers speak of it. Nothing else knows the rate or words the note."""

from __future__ import annotations

from coaching_site.german import NBSP

# UStG § 12 (1).
REGULAR_PERCENT = 19

# What stands beside a total price: the tax is in it (PAngV § 3, § 6), or there is none (UStG § 19).
INCLUDED = f"inkl. {REGULAR_PERCENT}{NBSP}% MwSt."
EXEMPT = "umsatzsteuerfrei nach § 19 UStG"
