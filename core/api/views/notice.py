"""To be written."""

from rest_framework.views import APIView


class Notices(APIView):
    """To be written."""
