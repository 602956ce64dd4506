"""To be written."""

from rest_framework.views import APIView


class Adjudications(APIView):
    """To be written."""


class NextAdjudication(APIView):
    """To be written."""


class OneAdjudication(APIView):
    """To be written."""


class Reviews(APIView):
    """To be written."""


class OneReview(APIView):
    """To be written."""
