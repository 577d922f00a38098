"""How Django itself prints dates and times, above all in the admin: as `coaching_site.german` does.

What is not named here, such as what may be typed, stays as Django has it for German.
"""

TIME_FORMAT = "H:i\u00a0\\U\\h\\r"
DATE_FORMAT = SHORT_DATE_FORMAT = "D., d.m.Y"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = f"{DATE_FORMAT}, {TIME_FORMAT}"
YEAR_MONTH_FORMAT = "F Y"
MONTH_DAY_FORMAT = "j.\u00a0F"
