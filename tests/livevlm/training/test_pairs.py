"""A folder of pictures with captions: what is found in it, what is read, and what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from livevlm.errors import ConfigError
from livevlm.training.pairs import Pair, find_pairs


def draw(path: Path, bgr: tuple[int, int, int], size: tuple[int, int] = (40, 30)) -> None:
    """A picture of one colour, (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((size[1], size[0], 3), bgr, np.uint8))


def listed(folder: Path, *lines: object) -> None:
    """captions.jsonl with these lines."""
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / "captions.jsonl").write_text(text, encoding="utf-8")


def test_a_text_of_the_same_stem_is_the_caption(tmp_path: Path) -> None:
    """All kinds of pictures, in subfolders too, in order; other files are nobody's; spaces around a caption go."""
    for number, name in enumerate(("b.jpg", "a.PNG", "deep/c.webp", "d.e.jpeg")):
        draw(tmp_path / name, (0, 0, 255))
        (tmp_path / name).with_suffix(".txt").write_text(f"\ufeff no {number}\n", encoding="utf-8")
    (tmp_path / "readme.txt").write_text("nothing")
    found = find_pairs(tmp_path)
    assert [(pair.picture, pair.caption) for pair in found.pairs] == [
        ("a.PNG", "no 1"), ("b.jpg", "no 0"), ("d.e.jpeg", "no 3"), ("deep/c.webp", "no 2")
    ]  # fmt: skip
    assert not found.bare


def test_a_list_alone_says_what_there_is(tmp_path: Path) -> None:
    """With captions.jsonl texts beside the pictures count for nothing; empty lines are no lines."""
    draw(tmp_path / "in" / "a.png", (0, 0, 255))
    draw(tmp_path / "b.png", (0, 0, 255))
    (tmp_path / "b.txt").write_text("not this")
    listed(tmp_path, {"image": "in/a.png", "caption": " żółć "}, "", "  ")
    assert find_pairs(tmp_path).pairs == (Pair("in/a.png", "żółć"),)


@pytest.mark.parametrize("way", ["no text", "empty text", "list"])
def test_a_picture_without_a_caption_is_left_out_by_name(way: str, tmp_path: Path) -> None:
    """Not fatal, but told."""
    draw(tmp_path / "bare.png", (0, 0, 255))
    draw(tmp_path / "good.png", (0, 0, 255))
    (tmp_path / "good.txt").write_text("good")
    if way == "empty text":
        (tmp_path / "bare.txt").write_text(" \n")
    if way == "list":
        good, bare = {"image": "good.png", "caption": "g"}, {"image": "bare.png", "caption": ""}
        listed(tmp_path, good, bare)
    found = find_pairs(tmp_path)
    assert [pair.picture for pair in found.pairs] == ["good.png"]
    assert found.bare == ("bare.png",)


def test_what_holds_no_pair_is_refused(tmp_path: Path) -> None:
    """A folder that is not there, an empty one, and one in which no picture has a caption."""
    with pytest.raises(ConfigError, match="nowhere"):
        find_pairs(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"no picture with a caption \(0 without\)"):
        find_pairs(tmp_path)
    draw(tmp_path / "bare.png", (0, 0, 255))
    with pytest.raises(ConfigError, match=r"no picture with a caption \(1 without\)"):
        find_pairs(tmp_path)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"image": "a.png", ', "is not JSON"),
        ('{"image": "a.png"}', "must read"),
        ('{"image": 3, "caption": "x"}', "must read"),
        ('["a.png", "x"]', "must read"),
        ('{"image": "gone.png", "caption": "x"}', "names gone.png"),
    ],
)
def test_a_bad_line_is_named_by_file_and_number(line: str, reason: str, tmp_path: Path) -> None:
    """The number counts empty lines too, as an editor does."""
    draw(tmp_path / "a.png", (0, 0, 255))
    listed(tmp_path, {"image": "a.png", "caption": "x"}, "", line)
    with pytest.raises(ConfigError, match=rf"captions\.jsonl, line 3, {reason}"):
        find_pairs(tmp_path)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    """In a caption's file and in the list."""
    draw(tmp_path / "a.png", (0, 0, 255))
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
    with pytest.raises(ConfigError, match=r"a\.txt is not UTF-8"):
        find_pairs(tmp_path)
    (tmp_path / "captions.jsonl").write_bytes(b'{"image": "a.png", "caption": "caf\xe9"}')
    with pytest.raises(ConfigError, match=r"captions\.jsonl, line 1"):
        find_pairs(tmp_path)


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    """At once where the head of the file tells, else when it is read."""
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "a.png").write_text("not a picture")
    with pytest.raises(ConfigError, match=r"a\.png cannot be read"):
        find_pairs(tmp_path)
    draw(tmp_path / "a.png", (0, 0, 255))
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:20])
    found = find_pairs(tmp_path)
    with pytest.raises(ConfigError, match=r"a\.png cannot be read"):
        found.read(found.pairs[0], (8, 8))


def test_pictures_are_read_as_frames_are(tmp_path: Path) -> None:
    """RGB of 8 bits, squashed to the model's square: grey pictures, transparent ones and those of 16 bits as well."""
    draw(tmp_path / "red.png", (0, 0, 255))
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((9, 5), 7, np.uint8))
    cv2.imwrite(str(tmp_path / "clear.png"), np.full((9, 5, 4), (1, 2, 3, 128), np.uint8))
    cv2.imwrite(str(tmp_path / "deep.png"), np.full((9, 5, 3), 0x0907, np.uint16))
    for name in ("red", "grey", "clear", "deep"):
        (tmp_path / f"{name}.txt").write_text(name)
    found = find_pairs(tmp_path)
    shown = {pair.caption: found.read(pair, (16, 16)) for pair in found.pairs}
    assert {image.shape for image in shown.values()} == {(16, 16, 3)}
    assert {name: image[3, 3].tolist() for name, image in shown.items()} == {
        "red": [255, 0, 0], "grey": [7, 7, 7], "clear": [3, 2, 1], "deep": [9, 9, 9]
    }  # fmt: skip


def test_a_batch_follows_from_seed_and_step(tmp_path: Path) -> None:
    """The same again, another for another seed or step, no pair twice in a batch; small folders fill large batches."""
    for number in range(30):
        draw(tmp_path / f"{number}.png", (0, 0, number))
        (tmp_path / f"{number}.txt").write_text(f"no {number}")
    found = find_pairs(tmp_path)
    batch = found.draw(5, 17, 10)
    assert batch == found.draw(5, 17, 10)
    assert batch not in (found.draw(6, 17, 10), found.draw(5, 18, 10))
    assert all(len(set(found.draw(0, step, 10))) == 10 for step in range(20))
    assert len(found.draw(0, 1, 40)) == 40


def test_the_digest_is_of_names_and_captions(tmp_path: Path) -> None:
    """The same folder elsewhere is the same data; another caption is not."""
    digests = []
    for place, caption in (("one", "x"), ("two", "x"), ("three", "y")):
        draw(tmp_path / place / "a.png", (0, 0, 255))
        (tmp_path / place / "a.txt").write_text(caption)
        digests.append(find_pairs(tmp_path / place).digest())
    assert digests[0] == digests[1] != digests[2]
