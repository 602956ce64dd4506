"""To be written."""

from rest_framework.views import APIView


class MergePreview(APIView):
    """To be written."""


class SuggestedMerges(APIView):
    """To be written."""


class Mappings(APIView):
    """To be written."""


class RevertMapping(APIView):
    """To be written."""
