from typing import ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower, Now


class UserManager(BaseUserManager["User"]):
    """Finds people by name, whatever its case."""

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(username__iexact=username)


class User(AbstractBaseUser):
    """Somebody who can sign in. What they may do is said by their memberships."""

    username = models.CharField(max_length=80)
    display_name = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    may_create_projects = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    USERNAME_FIELD = "username"
    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("username"), name="user_username_unique")]

    def __str__(self) -> str:
        return self.display_name or self.username


class SignInLink(models.Model):
    """A single-use link that lets somebody set a password: the first lead's, or a reset made by a lead."""

    user = models.ForeignKey("core.User", on_delete=models.CASCADE, null=True, related_name="links")
    digest = models.CharField(max_length=64, unique=True)
    made_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"link for {self.user or 'the first lead'}"
