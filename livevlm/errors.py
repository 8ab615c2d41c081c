"""The daemon's errors, one tree.

LiveVLMError
├── ConfigError          a configuration that cannot be used          exit 2
│   └── SettingError     one setting that was given over the wire     exit 2
├── ServerUnreachable    no daemon answers at that address            exit 3
├── ListenFailed         the address cannot be listened on            exit 3
├── ModelNotFound        no model under that name or path             exit 4
├── StreamExists         a stream has that name already               exit 2
├── TooManyStreams       as many streams as may be are watched        exit 2
├── WatchExists          a watch has that name already                exit 2
├── TooManyWatches       there are as many watches as may be          exit 2
├── WatchNotFound        no watch under that id or name               exit 5
├── StreamNotFound       no stream under that name                    exit 5
├── ResponseNotFound     no answer in progress under that id          exit 5
├── NoFramesYet          the stream has shown nothing yet             exit 6
├── RangeNotInMemory     nothing is remembered of that time           exit 6
├── NotErased            what was to be forgotten may be on disk     exit 6
├── QueueFull            too many questions wait already              exit 7
├── RateLimited          a client sends or asks too fast              exit 7
└── DeadlineExceeded     the answer took longer than it was given     exit 7

`code` is what the wire protocol says, `exit_code` what a command returns. A message names the thing that is wrong and the way
out, and never holds a credential.
"""

from __future__ import annotations


class LiveVLMError(Exception):
    """Any error that the daemon explains to its user."""

    code = "server_error"
    kind = "server_error"
    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConfigError(LiveVLMError):
    """A configuration file, variable or flag that cannot be used."""

    code = "invalid_value"
    kind = "invalid_request_error"
    exit_code = 2


class SettingError(ConfigError):
    """A setting, given over the wire, that cannot be used. `param` names it."""

    def __init__(self, message: str, *, param: str) -> None:
        super().__init__(message)
        self.param = param


class ServerUnreachable(LiveVLMError):
    """No daemon answers at the address."""

    code = "server_unreachable"
    exit_code = 3


class ListenFailed(LiveVLMError):
    """The address cannot be listened on."""

    code = "listen_failed"
    exit_code = 3


class ModelNotFound(LiveVLMError):
    """No model under that name or path, or a folder that holds none we can load."""

    code = "model_not_found"
    kind = "not_found_error"
    exit_code = 4


class StreamExists(LiveVLMError):
    """A stream has that name already."""

    code = "stream_exists"
    kind = "invalid_request_error"
    exit_code = 2


class TooManyStreams(LiveVLMError):
    """As many streams as may be are watched."""

    code = "too_many_streams"
    kind = "rate_limit_error"
    exit_code = 2


class WatchExists(LiveVLMError):
    """A watch has that name already."""

    code = "watch_exists"
    kind = "invalid_request_error"
    exit_code = 2


class TooManyWatches(LiveVLMError):
    """There are as many watches as there may be."""

    code = "too_many_watches"
    kind = "rate_limit_error"
    exit_code = 2


class WatchNotFound(LiveVLMError):
    """No watch under that id or name."""

    code = "watch_not_found"
    kind = "not_found_error"
    exit_code = 5


class StreamNotFound(LiveVLMError):
    """No stream under that name."""

    code = "stream_not_found"
    kind = "not_found_error"
    exit_code = 5


class ResponseNotFound(LiveVLMError):
    """No answer in progress under that id."""

    code = "response_not_found"
    kind = "not_found_error"
    exit_code = 5


class NoFramesYet(LiveVLMError):
    """The stream has shown nothing yet."""

    code = "no_frames_yet"
    kind = "stream_error"
    exit_code = 6


class RangeNotInMemory(LiveVLMError):
    """Nothing is remembered of the time that was asked about."""

    code = "range_not_in_memory"
    kind = "stream_error"
    exit_code = 6


class NotErased(LiveVLMError):
    """What was to be forgotten may still lie on disk, which could not be written."""

    code = "not_erased"
    exit_code = 6


class QueueFull(LiveVLMError):
    """Too many questions wait already."""

    code = "queue_full"
    kind = "rate_limit_error"
    exit_code = 7


class RateLimited(LiveVLMError):
    """A client sends or asks too fast. `retry_after_s`: seconds until it may go on."""

    code = "rate_limited"
    kind = "rate_limit_error"
    exit_code = 7

    def __init__(self, message: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeadlineExceeded(LiveVLMError):
    """The answer took longer than it was given."""

    code = "deadline_exceeded"
    exit_code = 7
