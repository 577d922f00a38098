"""Issues, the ledger of their mails, and what comes back; a frozen edition never changes."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

EDITIONS_NEVER_CHANGE = """
CREATE FUNCTION newsletter_edition_never_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'An edition never changes: % refused.', TG_OP
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'newsletter_edition_never_changes';
END
$$;
CREATE TRIGGER newsletter_edition_never_changes
    BEFORE UPDATE OR DELETE ON newsletter_edition
    FOR EACH ROW EXECUTE FUNCTION newsletter_edition_never_changes();
"""

EDITIONS_MAY_CHANGE = """
DROP TRIGGER newsletter_edition_never_changes ON newsletter_edition;
DROP FUNCTION newsletter_edition_never_changes();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('newsletter', '0004_imports'),
    ]

    operations = [
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('address_number', models.PositiveSmallIntegerField(blank=True, null=True, verbose_name='wievielte Adresse')),
                ('state', models.CharField(choices=[('pending', 'wartet'), ('claimed', 'an der Reihe'), ('in_flight', 'unterwegs'), ('sent', 'angenommen'), ('deferred', 'verschoben'), ('failed', 'abgelehnt'), ('uncertain', 'ungewiss'), ('excluded', 'ausgenommen'), ('cancelled', 'abgebrochen')], default='pending', max_length=10, verbose_name='Stand')),
                ('why', models.CharField(blank=True, choices=[('', '–'), ('left', 'abgemeldet'), ('suppressed', 'gesperrt'), ('unreachable', 'unzustellbar'), ('no_mailbox', 'Postfach gibt es nicht'), ('refused', 'Postfach nimmt sie nicht an'), ('policy', 'vom Mailserver aus Prinzip abgelehnt'), ('content', 'Inhalt abgelehnt'), ('gave_up', 'tagelang aufgeschoben')], default='', max_length=12, verbose_name='Grund')),
                ('code', models.CharField(blank=True, default='', max_length=20, verbose_name='Antwort')),
                ('attempts', models.PositiveSmallIntegerField(default=0, verbose_name='Versuche')),
                ('claimed_by', models.UUIDField(blank=True, null=True, verbose_name='Sender')),
                ('claimed_at', models.DateTimeField(blank=True, null=True, verbose_name='übernommen am')),
                ('next_try_at', models.DateTimeField(blank=True, null=True, verbose_name='nächster Versuch')),
                ('first_tried_at', models.DateTimeField(blank=True, null=True, verbose_name='zuerst versucht am')),
                ('sent_at', models.DateTimeField(blank=True, null=True, verbose_name='angenommen am')),
                ('bounce', models.CharField(blank=True, choices=[('', '–'), ('hard', 'unzustellbar'), ('soft', 'vorübergehend unzustellbar')], default='', max_length=4, verbose_name='Rückläufer')),
                ('bounced_at', models.DateTimeField(blank=True, null=True, verbose_name='zurückgekommen am')),
                ('complained_at', models.DateTimeField(blank=True, null=True, verbose_name='beschwert am')),
                ('left_at', models.DateTimeField(blank=True, null=True, verbose_name='daraufhin abgemeldet am')),
            ],
            options={
                'verbose_name': 'Zustellung',
                'verbose_name_plural': 'Zustellungen',
            },
        ),
        migrations.CreateModel(
            name='Edition',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject', models.CharField(max_length=150, verbose_name='Betreff')),
                ('html', models.TextField(verbose_name='HTML')),
                ('text', models.TextField(verbose_name='Text')),
                ('built_at', models.DateTimeField(verbose_name='erzeugt am')),
            ],
            options={
                'verbose_name': 'verschickte Fassung',
                'verbose_name_plural': 'verschickte Fassungen',
            },
        ),
        migrations.CreateModel(
            name='Feedback',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(max_length=40, verbose_name='Quelle')),
                ('event_id', models.CharField(max_length=200, verbose_name='Kennung')),
                ('kind', models.CharField(choices=[('hard', 'unzustellbar'), ('soft', 'vorübergehend unzustellbar'), ('policy', 'aus Prinzip abgelehnt'), ('complaint', 'Beschwerde'), ('left', 'Abmeldung per E-Mail'), ('other', 'ohne Bedeutung')], max_length=9, verbose_name='Art')),
                ('code', models.CharField(blank=True, default='', max_length=20, verbose_name='Antwort')),
                ('at', models.DateTimeField(verbose_name='wann')),
                ('noted_at', models.DateTimeField(verbose_name='vermerkt am')),
            ],
            options={
                'verbose_name': 'Rückmeldung',
                'verbose_name_plural': 'Rückmeldungen',
            },
        ),
        migrations.CreateModel(
            name='Inbox',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, unique=True, verbose_name='Postfach')),
                ('uid_validity', models.BigIntegerField(verbose_name='Zählung')),
                ('last_uid', models.BigIntegerField(default=0, verbose_name='zuletzt gelesen')),
                ('read_at', models.DateTimeField(blank=True, null=True, verbose_name='gelesen am')),
                ('trouble', models.TextField(blank=True, verbose_name='Hindernis')),
            ],
            options={
                'verbose_name': 'Postfach',
                'verbose_name_plural': 'Postfächer',
            },
        ),
        migrations.CreateModel(
            name='Issue',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject', models.CharField(max_length=150, verbose_name='Betreff')),
                ('preheader', models.CharField(blank=True, help_text='Steht im Postfach hinter dem Betreff.', max_length=150, verbose_name='Vorschautext')),
                ('body', models.TextField(blank=True, help_text='Markdown', verbose_name='Text')),
                ('slug', models.SlugField(help_text='Leer lassen: Sie entsteht aus dem Betreff.', max_length=80, unique=True, verbose_name='Adresse im Archiv')),
                ('in_archive', models.BooleanField(default=True, verbose_name='im Archiv zeigen')),
                ('status', models.CharField(choices=[('draft', 'Entwurf'), ('scheduled', 'geplant'), ('late', 'verpasst'), ('sending', 'wird verschickt'), ('paused', 'angehalten'), ('stopped', 'abgebrochen'), ('sent', 'verschickt')], default='draft', max_length=10, verbose_name='Stand')),
                ('created_at', models.DateTimeField(verbose_name='angelegt am')),
                ('changed_at', models.DateTimeField(verbose_name='geändert am')),
                ('send_at', models.DateTimeField(blank=True, null=True, verbose_name='Versand am')),
                ('started_at', models.DateTimeField(blank=True, null=True, verbose_name='begonnen am')),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='beendet am')),
                ('candidates', models.PositiveIntegerField(blank=True, null=True, verbose_name='vorgesehen')),
                ('trouble', models.TextField(blank=True, verbose_name='Hindernis')),
                ('resume_at', models.DateTimeField(blank=True, null=True, verbose_name='nächster Versuch')),
                ('pauses', models.PositiveSmallIntegerField(default=0, verbose_name='Pausen nacheinander')),
            ],
            options={
                'verbose_name': 'Ausgabe',
                'verbose_name_plural': 'Ausgaben',
                'ordering': ['-created_at'],
            },
        ),
        migrations.CreateModel(
            name='Pace',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('per_second', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='je Sekunde')),
                ('per_minute', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='je Minute')),
                ('per_hour', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='je Stunde')),
                ('per_day', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='je Tag')),
                ('connections', models.PositiveSmallIntegerField(default=10, help_text='Höchstens so viele zugleich. Viele Anbieter erlauben 10.', validators=[django.core.validators.MinValueValidator(1)], verbose_name='Verbindungen zum Mailserver')),
            ],
            options={
                'verbose_name': 'Versandtempo',
                'verbose_name_plural': 'Versandtempo',
            },
        ),
        migrations.CreateModel(
            name='Picture',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('file', models.ImageField(height_field='height', upload_to='newsletter/', verbose_name='Bild', width_field='width')),
                ('width', models.PositiveIntegerField(editable=False, verbose_name='Breite')),
                ('height', models.PositiveIntegerField(editable=False, verbose_name='Höhe')),
                ('alt', models.CharField(help_text='Was auf dem Bild zu sehen ist, für alle, die es nicht sehen.', max_length=200, verbose_name='Alternativtext')),
                ('uploaded_at', models.DateTimeField(verbose_name='hochgeladen am')),
            ],
            options={
                'verbose_name': 'Bild',
                'verbose_name_plural': 'Bilder',
            },
        ),
        migrations.RemoveConstraint(
            model_name='event',
            name='newsletter_event_is_of_a_known_kind',
        ),
        migrations.RemoveConstraint(
            model_name='suppression',
            name='newsletter_suppression_reason_is_known',
        ),
        migrations.AddField(
            model_name='subscriber',
            name='unreachable_since',
            field=models.DateTimeField(blank=True, null=True, verbose_name='unzustellbar seit'),
        ),
        migrations.AlterField(
            model_name='event',
            name='kind',
            field=models.CharField(choices=[('confirm_mail', 'Bestätigungslink verschickt'), ('already_mail', 'Hinweis „schon angemeldet“ verschickt'), ('move_mail', 'Bestätigungslink an neue Adresse verschickt'), ('link_mail', 'Link zu den Einstellungen verschickt'), ('welcome_mail', 'Willkommensmail verschickt'), ('left', 'abgemeldet'), ('came_back', 'Abmeldung zurückgenommen'), ('moved', 'Adresse geändert'), ('unreachable', 'unzustellbar'), ('complained', 'über eine Ausgabe beschwert'), ('blocked', 'gesperrt'), ('unblocked', 'Sperre aufgehoben'), ('exported', 'Daten exportiert'), ('erased', 'gelöscht')], max_length=12, verbose_name='was'),
        ),
        migrations.AlterField(
            model_name='suppression',
            name='reason',
            field=models.CharField(choices=[('complaint', 'Beschwerde'), ('blocked', 'gesperrt'), ('erased', 'auf Wunsch gelöscht'), ('moved', 'Adresse gewechselt'), ('bounced', 'unzustellbar')], max_length=12, verbose_name='Grund'),
        ),
        migrations.AddConstraint(
            model_name='event',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['confirm_mail', 'already_mail', 'move_mail', 'link_mail', 'welcome_mail', 'left', 'came_back', 'moved', 'unreachable', 'complained', 'blocked', 'unblocked', 'exported', 'erased'])), name='newsletter_event_is_of_a_known_kind'),
        ),
        migrations.AddConstraint(
            model_name='suppression',
            constraint=models.CheckConstraint(condition=models.Q(('reason__in', ['complaint', 'blocked', 'erased', 'moved', 'bounced'])), name='newsletter_suppression_reason_is_known'),
        ),
        migrations.AddField(
            model_name='delivery',
            name='subscriber',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='deliveries', to='newsletter.subscriber', verbose_name='Abo'),
        ),
        migrations.AddField(
            model_name='feedback',
            name='delivery',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='feedback', to='newsletter.delivery', verbose_name='Zustellung'),
        ),
        migrations.AddField(
            model_name='feedback',
            name='subscriber',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='feedback', to='newsletter.subscriber', verbose_name='Abo'),
        ),
        migrations.AddField(
            model_name='issue',
            name='tags',
            field=models.ManyToManyField(blank=True, help_text='Ohne Auswahl geht die Ausgabe an alle.', related_name='+', to='newsletter.tag', verbose_name='Nur an diese Schlagwörter'),
        ),
        migrations.AddField(
            model_name='edition',
            name='issue',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='edition', to='newsletter.issue', verbose_name='Ausgabe'),
        ),
        migrations.AddField(
            model_name='delivery',
            name='issue',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='newsletter.issue', verbose_name='Ausgabe'),
        ),
        migrations.AddConstraint(
            model_name='pace',
            constraint=models.CheckConstraint(condition=models.Q(('pk', 1)), name='newsletter_pace_is_one_row'),
        ),
        migrations.AddConstraint(
            model_name='pace',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('per_second__isnull', True), ('per_second__gte', 1), _connector='OR'), models.Q(('per_minute__isnull', True), ('per_minute__gte', 1), _connector='OR'), models.Q(('per_hour__isnull', True), ('per_hour__gte', 1), _connector='OR'), models.Q(('per_day__isnull', True), ('per_day__gte', 1), _connector='OR'), ('connections__gte', 1), ('connections__lte', 50)), name='newsletter_pace_moves', violation_error_message='Mindestens 1, bei den Verbindungen höchstens 50.'),
        ),
        migrations.AddConstraint(
            model_name='picture',
            constraint=models.CheckConstraint(condition=models.Q(('alt', ''), _negated=True), name='newsletter_picture_has_an_alternative', violation_error_message='Ein Bild braucht einen Alternativtext.'),
        ),
        migrations.AddIndex(
            model_name='feedback',
            index=models.Index(fields=['noted_at'], name='newsletter_feedback_by_age'),
        ),
        migrations.AddConstraint(
            model_name='feedback',
            constraint=models.UniqueConstraint(fields=('source', 'event_id'), name='newsletter_feedback_counts_once'),
        ),
        migrations.AddConstraint(
            model_name='feedback',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['hard', 'soft', 'policy', 'complaint', 'left', 'other'])), name='newsletter_feedback_kind_is_known'),
        ),
        migrations.AddConstraint(
            model_name='issue',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['draft', 'scheduled', 'late', 'sending', 'paused', 'stopped', 'sent'])), name='newsletter_issue_status_is_known'),
        ),
        migrations.AddConstraint(
            model_name='issue',
            constraint=models.CheckConstraint(condition=models.Q(('subject', ''), _negated=True), name='newsletter_issue_has_a_subject', violation_error_message='Eine Ausgabe braucht einen Betreff.'),
        ),
        migrations.AddConstraint(
            model_name='issue',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status__in', ['scheduled', 'late']), _negated=True), ('send_at__isnull', False), _connector='OR'), name='newsletter_scheduled_issue_has_a_time'),
        ),
        migrations.AddConstraint(
            model_name='issue',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('candidates__isnull', True), ('started_at__isnull', True), ('status__in', ['draft', 'scheduled', 'late'])), models.Q(('candidates__isnull', False), ('started_at__isnull', False), ('status__in', ['sending', 'paused', 'stopped', 'sent'])), _connector='OR'), name='newsletter_started_issue_is_counted'),
        ),
        migrations.AddConstraint(
            model_name='issue',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status__in', ['stopped', 'sent']), _negated=True), ('finished_at__isnull', False), _connector='OR'), name='newsletter_ended_issue_has_a_time'),
        ),
        migrations.AddConstraint(
            model_name='issue',
            constraint=models.CheckConstraint(condition=models.Q(('resume_at__isnull', True), ('status', 'sending'), _connector='OR'), name='newsletter_only_a_running_issue_waits'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('state__in', ['pending', 'claimed', 'in_flight', 'deferred'])), fields=['issue', 'state', 'next_try_at'], name='newsletter_deliveries_waiting'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('claimed_at__isnull', False)), fields=['claimed_at'], name='newsletter_deliveries_by_claim'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(fields=['issue', 'state'], name='newsletter_deliveries_by_state'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.UniqueConstraint(fields=('issue', 'subscriber'), name='newsletter_one_delivery_per_issue_and_subscriber'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['pending', 'claimed', 'in_flight', 'sent', 'deferred', 'failed', 'uncertain', 'excluded', 'cancelled'])), name='newsletter_delivery_state_is_known'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state__in', ['claimed', 'in_flight']), _negated=True), models.Q(('claimed_at__isnull', False), ('claimed_by__isnull', False)), _connector='OR'), name='newsletter_taken_delivery_has_a_sender'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'sent'), _negated=True), ('sent_at__isnull', False), _connector='OR'), name='newsletter_sent_delivery_has_a_time'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'deferred'), _negated=True), ('next_try_at__isnull', False), _connector='OR'), name='newsletter_deferred_delivery_has_a_time'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state__in', ['failed', 'excluded']), _negated=True), models.Q(('why', ''), _negated=True), _connector='OR'), name='newsletter_refused_delivery_has_a_reason'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('bounce', ''), ('bounced_at__isnull', True)), models.Q(models.Q(('bounce', ''), _negated=True), ('bounced_at__isnull', False)), _connector='OR'), name='newsletter_bounce_has_a_time'),
        ),
        migrations.RunSQL(EDITIONS_NEVER_CHANGE, EDITIONS_MAY_CHANGE),
    ]
