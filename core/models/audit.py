from django.db import models

from core.models.base import Created


class Event(Created):
    """One line of the audit log: who did what to which thing. Never changed, never deleted."""

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, null=True, related_name="events")
    actor = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")
    verb = models.CharField(max_length=60)
    thing = models.CharField(max_length=200, blank=True)
    data = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["project", "thing"], name="event_thing"),
            models.Index(fields=["project", "verb"], name="event_verb"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.thing}"
