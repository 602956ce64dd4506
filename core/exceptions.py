"""What can be refused, with a stable code. HTTP statuses are decided in api/errors.py and web/errors.py."""

from typing import Any


class DomainError(Exception):
    """Something that labelapp refuses to do.

    ``code`` is stable and kebab-case, ``detail`` is a sentence for people, ``errors`` lists the
    rows or fields concerned, ``data`` carries further fields for the answer.
    """

    def __init__(
        self, code: str, detail: str, *, errors: list[dict[str, Any]] | None = None, **data: Any
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = errors or []
        self.data = data


class Invalid(DomainError):
    """The input is wrong: 400."""


def invalid_field(name: str, code: str, detail: str) -> Invalid:
    """What to raise where one field of a document is wrong."""
    row = {"field": name, "pointer": f"/{name}", "code": code, "detail": detail}
    return Invalid(code, detail, errors=[row])


class Missing(DomainError):
    """There is no such thing, or not for this person: 404."""

    def __init__(self, detail: str = "There is nothing here under that name.") -> None:
        super().__init__("not-found", detail)


class NotAllowed(DomainError):
    """An insider without the right: 403."""

    def __init__(self, detail: str = "Your role does not allow this.", code: str = "not-allowed") -> None:
        super().__init__(code, detail)


class Conflict(DomainError):
    """The state does not allow it now: 409."""


class Stale(DomainError):
    """Somebody else changed it first: 412."""


class TooLarge(DomainError):
    """More than this address takes: 413."""


class Unprocessable(DomainError):
    """Understood, and contradictory: 422."""


class PreconditionRequired(DomainError):
    """An edit that does not say which version it changes: 428."""

    def __init__(self, detail: str = "Send If-Match with the ETag of the version that you read.") -> None:
        super().__init__("precondition-required", detail)


class TooMany(DomainError):
    """Too often, or too much: 429."""

    def __init__(self, code: str, detail: str, *, retry_after: int) -> None:
        super().__init__(code, detail, retry_after=retry_after)
        self.retry_after = retry_after
