"""Whatever a public page shows tells the web processes when it changes (coaching_site.news)."""

from django.db import migrations

# Every table that a public page reads.
SHOWN = (
    "booking_booking",
    "booking_busyfeed",
    "booking_busytime",
    "booking_calendar",
    "booking_calltype",
    "booking_dateoverride",
    "booking_weeklyhours",
    "newsletter_issue",
    "newsletter_picture",
    "pages_legaltext",
    "pages_practice",
    "pages_testimonial",
)

# One notification a transaction, however many rows and statements it has (NOTIFY folds equal ones).
TELL = """
CREATE FUNCTION tell_of_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('content', '');
    RETURN NULL;
END
$$;
"""
BIND = """
CREATE TRIGGER tell_of_change
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_change();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("pages", "0005_testimonials"),
        ("booking", "0014_due_soon_and_unconfirmed"),
        ("newsletter", "0007_resumed_issues"),
    ]
    operations = [
        migrations.RunSQL(TELL, "DROP FUNCTION tell_of_change();"),
        *(
            migrations.RunSQL(BIND.format(table=table), f"DROP TRIGGER tell_of_change ON {table};")
            for table in SHOWN
        ),
    ]
