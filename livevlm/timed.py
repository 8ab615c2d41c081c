"""Timed: a question about a recording, and the stream time at which it is asked. It costs no model library to read some."""

from __future__ import annotations

from dataclasses import dataclass

from livevlm.messages import Question

STREAM = "replay"


@dataclass(frozen=True, slots=True)
class TimedQuestion:
    """A question asked when stream time has come to `at_s`; infinity: at the end of the recording."""

    at_s: float
    question: Question
