"""`livevlm probe`: open a source, look at it for a few seconds, and tell what it delivers and whether it is well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from livevlm.cli import fail
from livevlm.cli.output import print_json
from livevlm.cli.parsing import add_json, duration, parser_for
from streams.errors import AddressUnsupported, StreamError
from streams.probe import ProbeReport, probe
from streams.source import SourceOptions

USAGE, UNREACHABLE, PARTIAL = 2, 3, 6


def main(argv: Sequence[str]) -> int:
    """Probe and print; exit code 3 where nothing can be seen, 6 where the source is not well."""
    parser = parser_for("probe", __doc__ or "")
    parser.add_argument("url", metavar="URL")
    parser.add_argument("--for", dest="seconds", type=duration, default=5.0, metavar="TIME")
    parser.add_argument("--rtsp-transport", choices=("tcp", "udp"), default="tcp")
    parser.add_argument("--open-timeout", type=duration, default=5.0, metavar="TIME")
    add_json(parser)
    args = parser.parse_args(argv)
    options = SourceOptions(rtsp_transport=args.rtsp_transport, open_timeout_s=args.open_timeout)
    try:
        report = probe(args.url, seconds=args.seconds, options=options)
    except StreamError as error:
        return fail(f"{error.code}: {error.message}", exit_code(error))
    if args.json:
        print_json(asdict(report) | {"healthy": healthy(report)})
    else:
        _print(report)
    return 0 if healthy(report) else PARTIAL


def exit_code(error: StreamError) -> int:
    """2 for an address that none can be, 3 for a source that cannot be seen."""
    return USAGE if isinstance(error, AddressUnsupported) else UNREACHABLE


def healthy(report: ProbeReport) -> bool:
    """Whether every picture was whole and time runs as it should."""
    return report.stamps.healthy and not report.corrupt


def _print(report: ProbeReport) -> None:
    stamps = report.stamps
    lines = {
        "source": f"{report.source} ({'live' if report.live else 'recording'})",
        "video": f"{report.codec} in {report.format}, {report.width}x{report.height}, {report.pixel_format}",
        "frame rate": f"{_fps(report.fps_measured)} measured, {_fps(report.fps_claimed)} claimed",
        "keyframes": f"every {report.keyframe_every} pictures"
        if report.keyframe_every
        else "fewer than two seen",
        "duration": "unknown" if report.duration_s is None else f"{report.duration_s:.1f} s",
        "first picture": f"after {report.first_picture_s:.2f} s",
        "pictures": f"{report.pictures} seen, {report.corrupt} corrupt",
        "time stamps": f"{stamps.missing} missing, {stamps.repeated} repeated, {stamps.backwards} backwards,"
        f" {stamps.jumps} jumps, longest gap {stamps.longest_gap_s:.2f} s",
        "verdict": "well" if healthy(report) else "not well",
    }
    for name, text in lines.items():
        print(f"{name + ':':<15}{text}")


def _fps(fps: float | None) -> str:
    return "none" if fps is None else f"{fps:.2f}/s"
