"""To be written."""

from rest_framework.views import APIView


class Timeline(APIView):
    """To be written."""
