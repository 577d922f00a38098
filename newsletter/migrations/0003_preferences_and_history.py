"""Preferences and what happened: events only grow, as consents do; both open inside `erasing()`."""

import django.db.models.deletion
from django.db import migrations, models

EVENTS_ONLY_GROW = """
CREATE FUNCTION newsletter_event_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('app.erasing', true) = 'on' THEN
        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'Events only grow: % refused.', TG_OP
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'newsletter_event_only_grows';
END
$$;
CREATE TRIGGER newsletter_event_only_grows
    BEFORE UPDATE OR DELETE ON newsletter_event
    FOR EACH ROW EXECUTE FUNCTION newsletter_event_only_grows();
"""

EVENTS_MAY_CHANGE = """
DROP TRIGGER newsletter_event_only_grows ON newsletter_event;
DROP FUNCTION newsletter_event_only_grows();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('newsletter', '0002_consents_only_grow'),
    ]

    operations = [
        migrations.CreateModel(
            name='Event',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('confirm_mail', 'Bestätigungslink verschickt'), ('already_mail', 'Hinweis „schon angemeldet“ verschickt'), ('move_mail', 'Bestätigungslink an neue Adresse verschickt'), ('link_mail', 'Link zu den Einstellungen verschickt'), ('left', 'abgemeldet'), ('came_back', 'Abmeldung zurückgenommen'), ('moved', 'Adresse geändert'), ('blocked', 'gesperrt'), ('unblocked', 'Sperre aufgehoben'), ('exported', 'Daten exportiert'), ('erased', 'gelöscht')], max_length=12, verbose_name='was')),
                ('by', models.CharField(choices=[('reader', 'Leserin oder Leser'), ('coach', 'Coach'), ('system', 'von selbst')], max_length=6, verbose_name='durch')),
                ('at', models.DateTimeField(verbose_name='wann')),
                ('detail', models.CharField(blank=True, max_length=254, verbose_name='Näheres')),
            ],
            options={
                'verbose_name': 'Ereignis',
                'verbose_name_plural': 'Verlauf',
            },
        ),
        migrations.RemoveConstraint(
            model_name='suppression',
            name='newsletter_suppression_reason_is_known',
        ),
        migrations.AddField(
            model_name='consent',
            name='address_hash',
            field=models.CharField(blank=True, db_default='', default='', max_length=64, verbose_name='Prüfwert der gelöschten Adresse'),
        ),
        migrations.AddField(
            model_name='consent',
            name='network',
            field=models.CharField(blank=True, db_default='', default='', max_length=43, verbose_name='gekürzte IP-Adresse'),
        ),
        migrations.AddField(
            model_name='consent',
            name='network_until',
            field=models.DateTimeField(blank=True, null=True, verbose_name='IP-Adresse wird gelöscht am'),
        ),
        migrations.AddField(
            model_name='consent',
            name='replaces',
            field=models.ForeignKey(blank=True, help_text='Die Einwilligung davor, wenn die Adresse wechselte oder eine Abmeldung zurückgenommen wurde.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='replaced_by', to='newsletter.consent', verbose_name='folgt auf'),
        ),
        migrations.AddField(
            model_name='subscriber',
            name='address_number',
            field=models.PositiveSmallIntegerField(db_default=1, default=1, editable=False, verbose_name='wievielte Adresse'),
        ),
        migrations.AlterField(
            model_name='suppression',
            name='reason',
            field=models.CharField(choices=[('complaint', 'Beschwerde'), ('blocked', 'gesperrt'), ('erased', 'auf Wunsch gelöscht'), ('moved', 'Adresse gewechselt')], max_length=12, verbose_name='Grund'),
        ),
        migrations.AddIndex(
            model_name='consent',
            index=models.Index(condition=models.Q(('network_until__isnull', False)), fields=['network_until'], name='newsletter_networks'),
        ),
        migrations.AddIndex(
            model_name='consent',
            index=models.Index(fields=['requested_at'], name='newsletter_consents_by_age'),
        ),
        migrations.AddIndex(
            model_name='subscriber',
            index=models.Index(fields=['created_at'], name='newsletter_by_age'),
        ),
        migrations.AddConstraint(
            model_name='consent',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('network', ''), ('network_until__isnull', True)), models.Q(models.Q(('network', ''), _negated=True), ('network_until__isnull', False)), _connector='OR'), name='newsletter_network_is_kept_until_a_time'),
        ),
        migrations.AddConstraint(
            model_name='consent',
            constraint=models.CheckConstraint(condition=models.Q(('address_hash', ''), ('address', ''), _connector='OR'), name='newsletter_hash_stands_for_an_erased_address'),
        ),
        migrations.AddConstraint(
            model_name='suppression',
            constraint=models.CheckConstraint(condition=models.Q(('reason__in', ['complaint', 'blocked', 'erased', 'moved'])), name='newsletter_suppression_reason_is_known'),
        ),
        migrations.AddField(
            model_name='event',
            name='subscriber',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='events', to='newsletter.subscriber', verbose_name='Abo'),
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(fields=['subscriber', 'at'], name='newsletter_events_of_one'),
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(fields=['at'], name='newsletter_events_by_age'),
        ),
        migrations.AddConstraint(
            model_name='event',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['confirm_mail', 'already_mail', 'move_mail', 'link_mail', 'left', 'came_back', 'moved', 'blocked', 'unblocked', 'exported', 'erased'])), name='newsletter_event_is_of_a_known_kind'),
        ),
        migrations.AddConstraint(
            model_name='event',
            constraint=models.CheckConstraint(condition=models.Q(('by__in', ['reader', 'coach', 'system'])), name='newsletter_event_is_of_somebody'),
        ),
        migrations.AddConstraint(
            model_name='event',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('detail', ''), ('kind', 'erased'), ('subscriber__isnull', True)), models.Q(models.Q(('kind', 'erased'), _negated=True), ('subscriber__isnull', False)), _connector='OR'), name='newsletter_only_an_erasure_names_nobody'),
        ),
        migrations.RunSQL(EVENTS_ONLY_GROW, EVENTS_MAY_CHANGE),
    ]
