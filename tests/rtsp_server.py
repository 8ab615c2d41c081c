"""Where the small RTSP server was."""

from livevlm.bench.rtsp import RtspServer
from streams.clip import Clip, encode_clip

__all__ = ["Clip", "RtspServer", "encode_clip"]
