"""To be written."""

from rest_framework.views import APIView


class Validations(APIView):
    """To be written."""


class OneValidation(APIView):
    """To be written."""


class Schemas(APIView):
    """To be written."""


class Rules(APIView):
    """To be written."""


class OneRule(APIView):
    """To be written."""
