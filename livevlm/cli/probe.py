"""`livevlm probe`: open a source, look at it for a few seconds, and tell what it delivers and whether it is well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from livevlm.cli import fail, load_module
from livevlm.cli.output import print_json
from livevlm.cli.parsing import add_json, duration, parser_for
from streams.arrival import ArrivalReport
from streams.errors import AddressUnsupported, StreamError
from streams.source import SourceOptions

if TYPE_CHECKING:
    from streams.probe import ProbeReport

USAGE, UNREACHABLE, PARTIAL = 2, 3, 6


def main(argv: Sequence[str]) -> int:
    """Probe and print; exit code 3 where nothing can be seen, 6 where the source is not well."""
    parser = parser_for("probe", __doc__ or "")
    parser.add_argument(
        "url",
        metavar="URL",
        help="a file, dir:FOLDER, rtsp://, http(s)://, webcam:0, screen:, test:",
    )
    parser.add_argument(
        "--for",
        dest="seconds",
        type=duration,
        default=5.0,
        metavar="TIME",
        help="look so long (5s)",
    )
    parser.add_argument("--rtsp-transport", choices=("tcp", "udp"), default="tcp", help="(tcp)")
    parser.add_argument(
        "--open-timeout",
        type=duration,
        default=5.0,
        metavar="TIME",
        help="give up opening after (5s)",
    )
    add_json(parser)
    args = parser.parse_args(argv)
    # Only now the decoder: a mistake on the command line is told at once.
    probe = load_module("streams.probe").probe
    options = SourceOptions(rtsp_transport=args.rtsp_transport, open_timeout_s=args.open_timeout)
    try:
        report: ProbeReport = probe(args.url, seconds=args.seconds, options=options)
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
    """Whether every picture was whole, time runs as it should, and it did not break off."""
    return report.stamps.healthy and not report.corrupt and report.broke is None


def _print(report: ProbeReport) -> None:
    stamps = report.stamps
    lines = {
        "source": f"{report.source} ({'live' if report.live else 'recording'})",
        "video": f"{_codec(report)} in {report.format}, {report.width}x{report.height}, {report.pixel_format}",
        "frame rate": f"{_fps(report.fps_measured)} measured, {_fps(report.fps_claimed)} claimed",
        "keyframes": f"every {report.keyframe_every} pictures"
        if report.keyframe_every
        else "fewer than two seen",
        "duration": "unknown" if report.duration_s is None else f"{report.duration_s:.1f} s",
        "first picture": f"after {report.first_picture_s:.2f} s, open after {report.open_s or 0:.2f} s",
        "pictures": f"{report.pictures} seen, {report.corrupt} corrupt",
        "time stamps": f"{stamps.missing} missing, {stamps.repeated} repeated, {stamps.backwards} backwards,"
        f" {stamps.jumps} jumps, longest gap {stamps.longest_gap_s:.2f} s",
        "arrival": _arrival(report.arrival),
        "picture's age": _age(report),
        "broke off": report.broke,
        "verdict": "well" if healthy(report) else "not well",
    }
    for name, text in lines.items():
        if text is not None:
            print(f"{name + ':':<15}{text}")


def _codec(report: ProbeReport) -> str:
    level = report.level and f"level {report.level}"
    return " ".join(part for part in (report.codec, report.profile, level) if part)


def _arrival(arrival: ArrivalReport | None) -> str | None:
    if arrival is None:
        return None
    drift = arrival.drift_s_per_min
    told = (
        "too short to tell a drift" if drift is None else f"drift {1000 * drift:+.0f} ms a minute"
    )
    return (
        f"jitter {1000 * arrival.jitter_s:.1f} ms, spread {1000 * arrival.spread_s:.0f} ms, {told}"
    )


def _age(report: ProbeReport) -> str | None:
    if report.arrival is None:
        return None
    if report.arrival.age_s is None:
        return "unknown: the camera does not tell its time"
    return f"{1000 * report.arrival.age_s:.0f} ms by the camera's clock"


def _fps(fps: float | None) -> str:
    return "none" if fps is None else f"{fps:.2f}/s"
