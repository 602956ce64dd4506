"""To be written."""

from rest_framework.views import APIView


class TrainingRounds(APIView):
    """To be written."""


class OneTrainingRound(APIView):
    """To be written."""
