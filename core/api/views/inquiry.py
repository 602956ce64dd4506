"""To be written."""

from rest_framework.views import APIView


class Inquiries(APIView):
    """To be written."""


class OneInquiry(APIView):
    """To be written."""
