"""Legal texts; a published version never changes, except that it was checked by a lawyer."""

from django.db import migrations, models

PUBLISHED_NEVER_CHANGES = """
CREATE FUNCTION pages_published_legal_text_never_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.number IS NULL THEN
        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE'
        AND OLD.checked_at IS NULL
        AND to_jsonb(NEW) - 'checked_at' = to_jsonb(OLD) - 'checked_at'
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'A published legal text never changes: % refused.', TG_OP
        USING ERRCODE = 'restrict_violation',
              CONSTRAINT = 'pages_published_legal_text_never_changes';
END
$$;
CREATE TRIGGER pages_published_legal_text_never_changes
    BEFORE UPDATE OR DELETE ON pages_legaltext
    FOR EACH ROW EXECUTE FUNCTION pages_published_legal_text_never_changes();
"""

PUBLISHED_MAY_CHANGE = """
DROP TRIGGER pages_published_legal_text_never_changes ON pages_legaltext;
DROP FUNCTION pages_published_legal_text_never_changes();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('pages', '0002_newsletter_switches'),
    ]

    operations = [
        migrations.CreateModel(
            name='LegalText',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('imprint', 'Impressum'), ('privacy', 'Datenschutzerklärung'), ('terms', 'AGB'), ('withdrawal', 'Widerrufsbelehrung'), ('accessibility', 'Barrierefreiheit')], max_length=20, verbose_name='Text')),
                ('number', models.PositiveIntegerField(blank=True, null=True, verbose_name='Fassung')),
                ('source', models.TextField(help_text='Markdown', verbose_name='Text')),
                ('text', models.TextField(blank=True, verbose_name='veröffentlichter Wortlaut')),
                ('sha256', models.CharField(blank=True, max_length=64, verbose_name='Prüfsumme')),
                ('valid_from', models.DateField(blank=True, null=True, verbose_name='gilt ab')),
                ('published_at', models.DateTimeField(blank=True, null=True, verbose_name='veröffentlicht am')),
                ('checked_at', models.DateTimeField(blank=True, null=True, verbose_name='als geprüft vermerkt am')),
                ('created_by', models.CharField(max_length=150, verbose_name='von')),
                ('changed_at', models.DateTimeField(verbose_name='geändert am')),
                ('note', models.CharField(blank=True, help_text='Was sich ändert; nur hier zu lesen.', max_length=200, verbose_name='Notiz')),
            ],
            options={
                'verbose_name': 'Rechtstext',
                'verbose_name_plural': 'Rechtstexte',
                'ordering': ['kind', '-number'],
                'constraints': [models.CheckConstraint(condition=models.Q(('kind__in', ['imprint', 'privacy', 'terms', 'withdrawal', 'accessibility'])), name='pages_legal_text_is_of_a_known_kind'), models.UniqueConstraint(condition=models.Q(('number', None)), fields=('kind',), name='pages_legal_text_has_one_draft'), models.UniqueConstraint(fields=('kind', 'number'), name='pages_legal_text_numbers_are_unique'), models.CheckConstraint(condition=models.Q(models.Q(('checked_at', None), ('number', None), ('published_at', None), ('sha256', ''), ('text', ''), ('valid_from', None)), models.Q(('number__gte', 1), ('published_at__isnull', False), ('valid_from__isnull', False), models.Q(('text', ''), _negated=True), ('sha256__regex', '^[0-9a-f]{64}$')), _connector='OR'), name='pages_published_legal_text_is_whole')],
            },
        ),
        migrations.RunSQL(PUBLISHED_NEVER_CHANGES, PUBLISHED_MAY_CHANGE),
    ]
