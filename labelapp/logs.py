"""Log lines that cannot be forged: one JSON object a line, whatever the message holds."""

import json
import logging
from datetime import UTC, datetime


class LineFormatter(logging.Formatter):
    """One JSON object per record; line breaks inside a message are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
