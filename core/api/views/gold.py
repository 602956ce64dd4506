"""To be written."""

from rest_framework.views import APIView


class GoldItems(APIView):
    """To be written."""


class GoldPeople(APIView):
    """To be written."""
