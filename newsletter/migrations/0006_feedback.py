"""An event for whoever is written to again; an inbox that fails is told about once."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('newsletter', '0005_issues'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='event',
            name='newsletter_event_is_of_a_known_kind',
        ),
        migrations.AddField(
            model_name='inbox',
            name='failing_since',
            field=models.DateTimeField(blank=True, null=True, verbose_name='gestört seit'),
        ),
        migrations.AddField(
            model_name='inbox',
            name='warned_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='gemeldet am'),
        ),
        migrations.AlterField(
            model_name='event',
            name='kind',
            field=models.CharField(choices=[('confirm_mail', 'Bestätigungslink verschickt'), ('already_mail', 'Hinweis „schon angemeldet“ verschickt'), ('move_mail', 'Bestätigungslink an neue Adresse verschickt'), ('link_mail', 'Link zu den Einstellungen verschickt'), ('welcome_mail', 'Willkommensmail verschickt'), ('left', 'abgemeldet'), ('came_back', 'Abmeldung zurückgenommen'), ('moved', 'Adresse geändert'), ('unreachable', 'unzustellbar'), ('reachable', 'wieder beschickt'), ('complained', 'über eine Ausgabe beschwert'), ('blocked', 'gesperrt'), ('unblocked', 'Sperre aufgehoben'), ('exported', 'Daten exportiert'), ('erased', 'gelöscht')], max_length=12, verbose_name='was'),
        ),
        migrations.AlterField(
            model_name='inbox',
            name='uid_validity',
            field=models.BigIntegerField(db_default=0, default=0, verbose_name='Zählung'),
        ),
        migrations.AddConstraint(
            model_name='event',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['confirm_mail', 'already_mail', 'move_mail', 'link_mail', 'welcome_mail', 'left', 'came_back', 'moved', 'unreachable', 'reachable', 'complained', 'blocked', 'unblocked', 'exported', 'erased'])), name='newsletter_event_is_of_a_known_kind'),
        ),
    ]
