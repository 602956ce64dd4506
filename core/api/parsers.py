"""What the API reads: one strict JSON object, whatever else a client might try to send."""

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from core.exceptions import Invalid
from core.formats.strict_json import StrictJsonError, loads_strict


class StrictJSONParser(BaseParser):
    """JSON without duplicate keys, NaN, NUL, lone surrogates, huge numbers or endless nesting."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002 -- the framework's signature
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002 -- the framework's signature
    ) -> dict[str, Any]:
        """The body as a dict. Raises Invalid with the code of what is wrong, RequestDataTooBig over the limit."""
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise RequestDataTooBig
        try:
            document = loads_strict(body)
        except StrictJsonError as error:
            row = {"pointer": error.pointer, "code": error.code, "detail": error.detail}
            raise Invalid(error.code, error.detail, errors=[row]) from None
        if not isinstance(document, dict):
            raise Invalid("not-an-object", "The body must be a JSON object.")
        return document


class AlwaysJSON(BaseContentNegotiation):
    """Ignore the Accept header: an answer that holds input is never served as anything a browser would run."""

    def select_parser(self, request: Request, parsers: Any) -> BaseParser | None:
        """The first parser whose media type is that of the body, without its parameters."""
        given = (request.content_type or "").split(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == given), None)

    def select_renderer(
        self,
        request: Request,  # noqa: ARG002 -- the framework's signature
        renderers: Any,
        format_suffix: str | None = None,  # noqa: ARG002 -- the framework's signature
    ) -> tuple[BaseRenderer, str]:
        """The first renderer of the view."""
        return renderers[0], renderers[0].media_type


def body_of(request: Request) -> dict[str, Any]:
    """The body of a JSON request: an object, as the parser has made sure."""
    return request.data if isinstance(request.data, dict) else {}
