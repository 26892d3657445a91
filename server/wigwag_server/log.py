"""Logs for people (text) or for machines (one JSON object a line)."""

import logging
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from aiohttp.http_exceptions import HttpProcessingError

from wigwag_proto.codec import encode


class HttpLog(logging.LoggerAdapter[logging.Logger]):
    """Where the HTTP library logs to. Of a request that is not HTTP it would log the bytes, which may hold a key."""

    def exception(self, msg: object, *args: object, exc_info: Any = True, **kwargs: Any) -> None:
        """Log a failure: one that the peer is to blame for by its name, others with all there is."""
        if isinstance(exc_info, HttpProcessingError):
            self.info(f"{msg}: {type(exc_info).__name__}", *args)
        else:
            super().exception(msg, *args, exc_info=exc_info, **kwargs)


class LogFormat(StrEnum):
    """How log lines look."""

    TEXT = "text"
    JSON = "json"


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger, message, and the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return encode(line).decode()


def set_up_logging(log_format: LogFormat) -> None:
    """Send everything of level info and above to standard error."""
    handler = logging.StreamHandler()
    if log_format is LogFormat.JSON:
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
