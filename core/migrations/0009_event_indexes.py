from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0008_suggestions"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["project", "thing"], name="event_thing"),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["project", "verb"], name="event_verb"),
        ),
    ]
