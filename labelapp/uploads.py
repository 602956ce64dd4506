# ruff: noqa: ARG002 -- the signatures are Django's
"""Uploads arrive whole or not at all."""

from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest, RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler

FORM_BYTES = 2**20


class WholeUpload(FileUploadHandler):
    """Refuses a request that is too large before it is read, and one that broke off before it is used.

    Django's parser takes the end of a broken connection for the end of the form.
    """

    def handle_raw_input(
        self,
        input_data: Any,
        META: dict[str, str],  # noqa: N803 -- Django's name
        content_length: int,
        boundary: str,
        encoding: str | None = None,
    ) -> None:
        """Look at the declared length. Files are taken only from people and scripts that are known already."""
        self.declared = content_length
        known = getattr(getattr(self.request, "user", None), "is_authenticated", False)
        if content_length > (settings.IMPORT_MAX_BYTES if known else 0) + FORM_BYTES:
            raise RequestDataTooBig("The upload is larger than this server takes.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """Pass the bytes on to the handlers that keep them."""
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave the file to the handlers that keep it."""

    def upload_complete(self) -> None:
        """Compare what came with what was declared."""
        received = getattr(getattr(self.request, "_stream", None), "_pos", self.declared)
        if received < self.declared:
            raise BadRequest("The upload broke off; nothing was kept.")
