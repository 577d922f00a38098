from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('booking', '0001_booking'),
    ]

    operations = [
        migrations.AddField(
            model_name='booking',
            name='made_by',
            field=models.CharField(choices=[('guest', 'Gast'), ('coach', 'Coach')], db_default='guest', default='guest', max_length=5, verbose_name='eingetragen von'),
        ),
        migrations.AddField(
            model_name='booking',
            name='overridden',
            field=models.TextField(blank=True, db_default='', default='', verbose_name='trotzdem eingetragen'),
        ),
    ]
