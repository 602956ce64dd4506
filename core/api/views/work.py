"""To be written."""

from rest_framework.views import APIView


class Work(APIView):
    """To be written."""
