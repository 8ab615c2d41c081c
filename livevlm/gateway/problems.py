"""Errors as OpenAI's HTTP interface tells them: a status, and a body with one `error`."""

from __future__ import annotations

from livevlm.errors import (
    DeadlineExceeded,
    LiveVLMError,
    ModelNotFound,
    NoFramesYet,
    QueueFull,
    RangeNotInMemory,
    ServerUnreachable,
    StreamNotFound,
)
from livevlm.service.wire import JsonObject

BAD_REQUEST, NOT_FOUND, TOO_SLOW, TOO_LARGE, TOO_MANY = 400, 404, 408, 413, 429
INTERNAL, BAD_GATEWAY, UNAVAILABLE, TIMEOUT = 500, 502, 503, 504
# By an error's code; any other is judged by its kind.
STATUS = {
    StreamNotFound.code: NOT_FOUND,
    ModelNotFound.code: NOT_FOUND,
    NoFramesYet.code: 409,  # stock clients try again on this one, and it may pass
    RangeNotInMemory.code: 422,
    QueueFull.code: TOO_MANY,
    ServerUnreachable.code: BAD_GATEWAY,
    "going_away": UNAVAILABLE,
    "model_loading": UNAVAILABLE,
    DeadlineExceeded.code: TIMEOUT,
    "request_timeout": TOO_SLOW,
    "request_too_large": TOO_LARGE,
}
BY_KIND = {
    "invalid_request_error": BAD_REQUEST,
    "not_found_error": NOT_FOUND,
    "rate_limit_error": TOO_MANY,
}
# What is told besides. Of a request that was refused half read, the rest is not waited for.
HEADERS = {
    TOO_MANY: {"Retry-After": "1"},
    TOO_SLOW: {"Connection": "close"},
    TOO_LARGE: {"Connection": "close"},
}


def http_status(error: LiveVLMError) -> int:
    """The HTTP status that an error is told with."""
    return STATUS.get(error.code) or BY_KIND.get(error.kind, INTERNAL)


def problem(error: LiveVLMError) -> JsonObject:
    """The body that tells an error."""
    # Who asked for what is not there has asked for the wrong thing.
    kind = "invalid_request_error" if http_status(error) == NOT_FOUND else error.kind
    param = getattr(error, "param", None)
    return problem_json(error.message, kind=kind, code=error.code, param=param)


def problem_json(
    message: str, *, kind: str, code: str | None, param: str | None = None
) -> JsonObject:
    """As `problem`, where there is no error of ours."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
