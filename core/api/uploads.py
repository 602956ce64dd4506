"""What uploads have in common: a file in a form, and nothing that would be fetched from elsewhere."""

import json
from collections.abc import Collection
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request

from core.api.parsers import StrictJSONParser
from core.exceptions import Invalid

# Everything that other tools fetch from. Here nothing is ever fetched: what is imported is sent.
FETCHED = frozenset(
    {"url", "urls", "uri", "source_url", "file_url", "remote", "endpoint", "bucket", "storage", "path"}
)
# The form parsers are the only way to send a file; the others are there to refuse with a reason.
PARSERS = (MultiPartParser, FormParser, StrictJSONParser)


def uploaded_file(request: Request, fields: Collection[str]) -> tuple["UploadedFile[Any]", dict[str, str]]:
    """The file of a form and its other fields.

    Raises Invalid ``url-not-allowed`` for anything that asks for a fetch, ``unknown-field``, ``repeated-field``,
    ``no-file``.
    """
    sent: Any = request.data
    found: dict[str, str] = {}
    for name in sent:
        values = sent.getlist(name) if hasattr(sent, "getlist") else [sent[name]]
        if name in FETCHED or (name == "file" and isinstance(values[0], str)):
            raise Invalid(
                "url-not-allowed", "Nothing is fetched from addresses or paths; send the file itself."
            )
        if name != "file" and name not in fields:
            raise Invalid("unknown-field", f"There is no field {str(name)[:60]!r} here.")
        if len(values) > 1:
            raise Invalid("repeated-field", f"{name} may be given once.")
        if name != "file":
            found[name] = str(values[0])
    file = sent.get("file")
    if not isinstance(file, UploadedFile):
        raise Invalid("no-file", "Send the file in a multipart form, in the field `file`.")
    return file, found


def json_object(text: str, name: str) -> dict[str, Any]:
    """A form field that holds a JSON object. Raises Invalid."""
    try:
        value = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Invalid(f"bad-{name}", f"{name} is a JSON object")
    return value
