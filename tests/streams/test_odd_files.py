"""Odd files: each is decoded or refused by name, soon, in bounded memory; none hangs or crashes."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import pytest

from livevlm.cli import main
from streams import Sampler, SourceOptions, open_source
from streams.claims import Claims
from streams.errors import SourceCorrupt
from streams.tape import BYTES_AT_LEISURE, Tape
from tests.streams.odd_files import AT_ONCE, Recipe, encode, joined, turned
from tests.streams.odd_table import CORRUPT, ODD
from tests.streams.pictures import SIZE, number_of
from tests.streams.watcher import Seen, see, watch

# Against hanging alone: how long one takes is measured by `python -m tests.streams.watcher FILE`.
HANG_S = 600.0
# What they may take at most, one after the other in one process.
MOST_MIB = 1024


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the files are."""
    path = tmp_path_factory.mktemp("odd")
    for name, odd in ODD.items():
        odd.make(path / name)
    return path


@pytest.fixture(scope="module")
def seen(folder: Path) -> Mapping[str, Seen]:
    """What came of each file, by its name."""
    found = watch([folder / name for name in ODD], hang_s=HANG_S)
    return {Path(one.path).name: one for one in found}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_is_decoded_or_refused_by_name(name: str, seen: Mapping[str, Seen]) -> None:
    """Neither a hang, a crash, an error of somebody else's, nor pictures that are not in the file."""
    odd, one = ODD[name], seen[name]
    if isinstance(odd.outcome, str):
        assert (one.code, one.probed) == (odd.outcome, odd.outcome), one.message
        assert one.path in one.message
        assert re.search(odd.says, one.message), one.message
    else:
        assert (one.code, one.probed) == ("", ""), one.message
        assert one.numbers[: odd.outcome] == list(range(odd.outcome))
        assert one.numbers == sorted(set(one.numbers))
        assert one.times == sorted(one.times)
    assert one.peak_mib < MOST_MIB


@pytest.mark.parametrize("name", ["fragments.mp4", "no_key_flags.mov", "still.png", "animated.gif"])
def test_replay_watches_what_can_be_read(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An odd file is a recording like any other: its question is answered, and the command is content."""
    assert replay(folder / name) == 0
    assert "what?" in capsys.readouterr().out


@pytest.mark.parametrize("name", [name for name in ODD if isinstance(ODD[name].outcome, str)])
def test_replay_says_what_cannot_be_read(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Behind what is being done one line that names the file, and the exit code of what cannot be reached; no traceback."""
    assert replay(folder / name) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(f"loading .*\nlivevlm: .*{re.escape(name)}.*\n", err)


def replay(path: Path) -> int:
    """Replay with the toy model; the exit code."""
    words = ["--model", "toy", "--set", "model.threads=1", "--ask", "0=what?"]
    return main(["replay", str(path), *words])


def test_uneven_stamps_are_sampled_by_time(tmp_path: Path) -> None:
    """A picture a second means a second of the recording, not every so many pictures."""
    stamps = [0, 500, 600, 1000, 1010, 2500, 2990, 3000, 7000, 7500, 8000, 8001, 9000]
    path = encode(tmp_path / "uneven.mkv", Recipe(stamps_ms=stamps, options=AT_ONCE))
    options = SourceOptions(keep=Sampler(1).keep)
    with open_source(str(path), name="odd", options=options) as source:
        found = [(number_of(frame.image), round(frame.pts_s, 3)) for frame in source]
    assert found == [(0, 0.0), (3, 1.0), (5, 2.5), (7, 3.0), (8, 7.0), (10, 8.0), (12, 9.0)]


@pytest.mark.parametrize(
    "stamps",
    [
        [-400 + 40 * place for place in range(12)],
        [(2**33 - 20_000) // 90 + 40 * place for place in range(12)],
    ],
    ids=["below_zero", "past_33_bits"],
)
def test_stamps_that_begin_anywhere_begin_at_0(stamps: list[int], tmp_path: Path) -> None:
    """MPEG-TS counts in 33 bits and begins anew once a day; others begin before 0."""
    ending = "ts" if stamps[0] > 0 else "mkv"
    seen = see(str(encode(tmp_path / f"clip.{ending}", Recipe(stamps_ms=stamps, options=AT_ONCE))))
    assert seen.numbers == list(range(12))
    assert seen.times == pytest.approx([0.04 * place for place in range(12)], abs=0.002)


@pytest.mark.parametrize("quarters", range(4))
def test_what_was_recorded_turned_is_shown_upright(quarters: int, tmp_path: Path) -> None:
    """By all four quarters, as phones are held."""
    seen = see(str(turned(tmp_path / "phone.mp4", quarters)), probing=False)
    width, height = SIZE
    assert seen.shapes == [[(height, width, 3), (width, height, 3)][quarters % 2]]


def test_a_stream_may_change_its_size(tmp_path: Path) -> None:
    """A camera set anew, or a broadcast between two programmes."""
    parts = [
        encode(tmp_path / f"{size[0]}.ts", Recipe(size=size, options=AT_ONCE))
        for size in (SIZE, (64, 48))
    ]
    seen = see(str(joined(tmp_path / "both.ts", parts)))
    assert seen.shapes == [(48, 64, 3), (96, 128, 3)]
    assert seen.numbers == [*range(12), *range(12)]


def test_a_header_may_claim_hours(tmp_path: Path) -> None:
    """What it claims is not waited for."""
    path = encode(tmp_path / "clip.mp4", Recipe())
    data = bytearray(path.read_bytes())
    for box, place in ((b"mvhd", 20), (b"tkhd", 24), (b"mdhd", 20)):
        start = data.index(box) + place
        data[start : start + 4] = (2**31).to_bytes(4, "big")
    path.write_bytes(data)
    assert see(str(path)).numbers == list(range(12))


def test_a_file_that_is_still_written_gives_what_is_there(tmp_path: Path) -> None:
    """A recorder at work next door: every beginning of the file either gives pictures or is refused, none fails otherwise."""
    for name, recipe in {
        "clip.mp4": Recipe(muxing={"movflags": "frag_keyframe+empty_moov"}, count=30),
        "clip.ts": Recipe(count=30),
    }.items():
        data = encode(tmp_path / name, recipe).read_bytes()
        for size in range(200, len(data), len(data) // 15):
            (tmp_path / name).write_bytes(data[:size])
            seen = see(str(tmp_path / name), probing=False)
            assert seen.numbers == sorted(set(seen.numbers))
            assert seen.numbers or seen.code


def holey(path: Path) -> Path:
    """A video that goes on in a hole of many gigabytes, which takes no room on the disk."""
    encode(path, Recipe(count=100))
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
        file.truncate(64 * 2**30)
    return path


def test_a_file_without_end_is_left_when_cancelled(tmp_path: Path) -> None:
    """libav looks for the next packet through the whole hole; whoever stops the stream does not wait for that."""
    path, asked = holey(tmp_path / "clip.mkv"), 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 200

    with open_source(str(path), name="odd", options=SourceOptions(cancelled=cancelled)) as source:
        assert len(list(islice(source, 100))) >= 5
    assert asked < 1000


def test_a_file_without_end_is_refused_where_nothing_comes(tmp_path: Path) -> None:
    """Also uncancelled it ends, by name, after what was there was given."""
    seen = see(str(holey(tmp_path / "clip.mkv")), probing=False)
    assert seen.code == CORRUPT
    assert "nothing was found in" in seen.message
    assert len(seen.numbers) >= 5


def test_a_tape_ends_at_its_limit_and_goes_on_with_every_packet(tmp_path: Path) -> None:
    """What counts is the way from one packet to the next, not the length of the file."""
    (tmp_path / "file").write_bytes(bytes(100))
    tape = Tape(str(tmp_path / "file"), lambda: False, limit=30)
    assert len(tape.read(30)) == 30
    tape.led_to_packet()
    assert (len(tape.read(20)), len(tape.read(20))) == (20, 20)
    assert tape.exhausted
    tape.led_to_packet()
    assert tape.read(20) == b""
    assert isinstance(tape.lost("clip"), SourceCorrupt)
    tape.close()


def test_samples_that_are_claimed_without_bytes_are_counted(tmp_path: Path) -> None:
    """libav makes room for all that are claimed, 134 million in a file of 3 kB; they are found however the bytes are read."""
    path = encode(tmp_path / "clip.mp4", Recipe(muxing={"movflags": "frag_keyframe+empty_moov"}))
    data = bytearray(path.read_bytes())
    place = data.rindex(b"trun")
    honest = Claims(len(data))
    assert not honest.excessive(bytes(data))
    data[place + 4 : place + 12] = bytes(4) + (2**27).to_bytes(4, "big")
    for size in (1, 7, 64, len(data)):
        claims = Claims(len(data))
        pieces = [bytes(data[at : at + size]) for at in range(0, len(data), size)]
        assert sum(claims.excessive(piece) for piece in pieces) >= 1
    path.write_bytes(data)
    seen = see(str(path))
    assert (seen.code, seen.probed) == (CORRUPT, CORRUPT)
    assert "claims more samples" in seen.message


def test_a_tape_cannot_be_sent_before_its_beginning(tmp_path: Path) -> None:
    """Damaged files try; libav wants a number then, for an exception would be printed and come out somewhere else."""
    (tmp_path / "file").write_bytes(bytes(100))
    tape = Tape(str(tmp_path / "file"), lambda: False)
    assert tape.seek(50) == 50
    assert tape.seek(-5) == -errno.EINVAL
    assert tape.tell() == 50
    tape.close()


def test_a_tape_loses_patience_where_much_leads_to_nothing(tmp_path: Path) -> None:
    """A slow disk is waited for, and a pause between two packets is nobody's fault; a slow search through megabytes is."""
    now_s = 0.0
    with (tmp_path / "file").open("wb") as file:
        file.truncate(20 * BYTES_AT_LEISURE)
    tape = Tape(str(tmp_path / "file"), lambda: False, patience_s=10, monotonic=lambda: now_s)
    tape.read(100)
    now_s += 100
    tape.read(100)
    assert not tape.exhausted
    tape.led_to_packet()
    now_s += 100
    tape.read(BYTES_AT_LEISURE + 1)
    assert not tape.exhausted
    now_s += 11
    tape.read(1)
    assert tape.exhausted
    tape.close()
