"""To be written."""

from rest_framework.views import APIView


class VoidAnnotations(APIView):
    """To be written."""


class Voids(APIView):
    """To be written."""


class UndoVoid(APIView):
    """To be written."""
