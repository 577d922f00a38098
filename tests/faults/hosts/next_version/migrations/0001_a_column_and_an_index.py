"""What a later version might bring: a column that old processes do not know, and an index."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("booking", "0001_booking")]

    operations = [
        migrations.RunSQL("ALTER TABLE booking_booking ADD COLUMN mood text NOT NULL DEFAULT 'calm'"),
        migrations.RunSQL("CREATE INDEX bookings_by_mood ON booking_booking (mood, start)"),
    ]
