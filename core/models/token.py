from django.db import models

from core.models.base import Created


class Token(Created):
    """An API token: shown once, kept as a digest, with scopes and an end."""

    user = models.ForeignKey("core.User", on_delete=models.CASCADE, related_name="tokens")
    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, null=True, related_name="tokens")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
