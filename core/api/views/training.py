"""To be written."""

from rest_framework.views import APIView


class Trainings(APIView):
    """To be written."""


class OneTraining(APIView):
    """To be written."""
