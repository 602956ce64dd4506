"""To be written."""

from rest_framework.views import APIView


class Variants(APIView):
    """To be written."""


class StandardPreview(APIView):
    """To be written."""
