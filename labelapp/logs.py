"""Log lines that cannot be forged: one JSON object a line, whatever the message holds."""

import json
import logging
import re
from datetime import UTC, datetime

# Links that let their holder in carry the secret in the path; a log line must not.
SECRET_LINK = re.compile(r"/(first|join|reset)/[\w-]{20,}")


class LineFormatter(logging.Formatter):
    """One JSON object per record; line breaks inside a message are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": SECRET_LINK.sub(r"/\1/…", record.getMessage()),
        }
        if record.exc_info:
            line["trace"] = SECRET_LINK.sub(r"/\1/…", self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)
