"""How Django itself prints dates and times, above all in the admin: as `coaching_site.german` does.

What is not named here, such as how a date may be typed, stays as Django has it for German.
"""

TIME_FORMAT = "H:i\u00a0\\U\\h\\r"
DATE_FORMAT = SHORT_DATE_FORMAT = "D., d.m.Y"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = f"{DATE_FORMAT}, {TIME_FORMAT}"
YEAR_MONTH_FORMAT = "F Y"
MONTH_DAY_FORMAT = "j.\u00a0F"

# The first is how a field shows its time: nobody opens at half a minute past.
TIME_INPUT_FORMATS = ["%H:%M", "%H:%M:%S"]
