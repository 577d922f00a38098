import booking.models.calendar
import django.core.validators
from django.db import migrations, models


def give_each_calendar_its_own_secret(apps, schema_editor):
    """A default is computed once for all rows that are there; secrets must differ."""
    Calendar = apps.get_model('booking', 'Calendar')
    for calendar in Calendar.objects.all():
        calendar.feed_secret = booking.models.calendar.new_feed_secret()
        calendar.save(update_fields=['feed_secret'])


class Migration(migrations.Migration):

    dependencies = [
        ('booking', '0007_move_request_one_off'),
    ]

    operations = [
        migrations.AddField(
            model_name='booking',
            name='followup_consent_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='zugestimmt am'),
        ),
        migrations.AddField(
            model_name='booking',
            name='followup_consent_text',
            field=models.TextField(blank=True, db_default='', default='', verbose_name='Zustimmung zur Bitte um Rückmeldung'),
        ),
        migrations.AddField(
            model_name='booking',
            name='no_show_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='als nicht erschienen vermerkt'),
        ),
        migrations.AddField(
            model_name='calendar',
            name='feed_changed_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='calendar',
            name='feed_etag',
            field=models.CharField(blank=True, db_default='', editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name='calendar',
            name='feed_secret',
            field=models.CharField(default=booking.models.calendar.new_feed_secret, editable=False, max_length=64, verbose_name='Geheimnis des Feeds'),
        ),
        migrations.RunPython(give_each_calendar_its_own_secret, migrations.RunPython.noop),
        migrations.AddField(
            model_name='calltype',
            name='first_reminder',
            field=models.PositiveIntegerField(blank=True, default=1440, help_text='So viele Minuten vor Beginn bekommt der Gast eine Mail; 1440 ist ein Tag. Leer: keine. Wer später bucht, bekommt sie nicht.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(43200)], verbose_name='Erste Erinnerung, Minuten vorher'),
        ),
        migrations.AddField(
            model_name='calltype',
            name='follow_up_hours',
            field=models.PositiveSmallIntegerField(blank=True, help_text='So viele Stunden nach dem Ende geht eine Mail an Gäste, die dem beim Buchen zugestimmt haben. Leer: keine, und beim Buchen wird nicht gefragt.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(720)], verbose_name='Bitte um Rückmeldung, Stunden danach'),
        ),
        migrations.AddField(
            model_name='calltype',
            name='second_reminder',
            field=models.PositiveIntegerField(blank=True, default=60, help_text='Näher am Beginn als die erste. Leer: keine.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(43200)], verbose_name='Zweite Erinnerung, Minuten vorher'),
        ),
        migrations.AddField(
            model_name='notification',
            name='claimed_until',
            field=models.DateTimeField(blank=True, null=True, verbose_name='in Arbeit bis'),
        ),
        migrations.AlterField(
            model_name='notification',
            name='kind',
            field=models.CharField(choices=[('confirmation', 'Bestätigung'), ('cancellation', 'Absage'), ('moved', 'Verschiebung'), ('request', 'Anfrage'), ('lapse', 'Anfrage ohne Antwort'), ('first_reminder', 'Erste Erinnerung'), ('second_reminder', 'Zweite Erinnerung'), ('follow_up', 'Bitte um Rückmeldung')], max_length=20, verbose_name='Anlass'),
        ),
        migrations.AddIndex(
            model_name='booking',
            index=models.Index(models.F('start'), condition=models.Q(('status', 'confirmed')), name='booking_confirmed_start'),
        ),
        migrations.AddIndex(
            model_name='notification',
            index=models.Index(models.F('created_at'), condition=models.Q(('sent_at', None)), name='notification_unsent'),
        ),
        migrations.AddConstraint(
            model_name='booking',
            constraint=models.CheckConstraint(condition=models.Q(('no_show_at__isnull', True), ('no_show_at__gte', models.F('start')), _connector='OR'), name='booking_no_show_after_its_start', violation_error_message='Ob jemand erschienen ist, weiß man erst nach dem Beginn.'),
        ),
        migrations.AddConstraint(
            model_name='booking',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('followup_consent_at__isnull', True), ('followup_consent_text', '')), models.Q(models.Q(('followup_consent_text', ''), _negated=True), ('followup_consent_at__isnull', False)), _connector='OR'), name='booking_followup_consent_has_text_and_time', violation_error_message='Eine Zustimmung braucht ihren Text und ihren Zeitpunkt.'),
        ),
        migrations.AddConstraint(
            model_name='calltype',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('first_reminder__isnull', True), ('first_reminder__gte', 1), _connector='OR'), models.Q(('second_reminder__isnull', True), ('second_reminder__gte', 1), _connector='OR')), name='call_type_reminders_before_the_start', violation_error_message='Eine Erinnerung kommt mindestens eine Minute vorher.'),
        ),
        migrations.AddConstraint(
            model_name='calltype',
            constraint=models.CheckConstraint(condition=models.Q(('first_reminder__isnull', True), ('second_reminder__isnull', True), ('first_reminder__gt', models.F('second_reminder')), _connector='OR'), name='call_type_reminders_in_order', violation_error_message='Die zweite Erinnerung liegt näher am Beginn als die erste.'),
        ),
        migrations.AddConstraint(
            model_name='calltype',
            constraint=models.CheckConstraint(condition=models.Q(('follow_up_hours__isnull', True), ('follow_up_hours__gte', 1), _connector='OR'), name='call_type_follow_up_after_the_end', violation_error_message='Die Bitte um Rückmeldung kommt mindestens eine Stunde danach.'),
        ),
    ]
