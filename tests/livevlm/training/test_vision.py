"""Learning to see: labels lie where things are, pictures come again the same, and the loss goes down."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from livevlm.training.vision import (
    HUES,
    LOOKS,
    UNSURE,
    PicturePool,
    Pictures,
    Probe,
    draw_pictures,
    frame_tokens,
    recoloured,
    seeing_parameters,
    to_pixels,
    token_labels,
    train_vision,
)
from streams.scene import KINDS, PAIRS, Scene, Sprite
from streams.staging import draw_scene
from tests.livevlm.training.making import TINY, run_in, tiny_model

GRID = 8
NOTHING = (len(KINDS), len(HUES))


def scene(*sprites: Sprite) -> Scene:
    """Sprites over grey."""
    return Scene(sprites, ((99, 99, 99), (99, 99, 99)), "plain", 0)


def labels(
    what: Scene,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """As maps, (row, column)."""
    kinds, colours, ways = token_labels(what, 0.0, GRID)
    return kinds.reshape(GRID, GRID), colours.reshape(GRID, GRID), ways.reshape(GRID, GRID, 2)


def test_labels_lie_on_the_sprites() -> None:
    """The tokens around a thing's centre are its own, those outside of its box are nothing's."""
    for seed in range(60):
        drawn = draw_scene(np.random.default_rng(seed))
        kinds, colours, ways = labels(drawn)
        for row in range(GRID):
            for column in range(GRID):
                x, y = (column + 0.5) / GRID, (row + 0.5) / GRID
                near = [
                    sprite
                    for sprite in drawn.sprites
                    if abs(sprite.start[0] - x) <= max(sprite.half[0], 0.51 / GRID)
                    and abs(sprite.start[1] - y) <= max(sprite.half[1], 0.51 / GRID)
                ]
                label = (kinds[row, column], colours[row, column])
                owners = [
                    one for one in near if label == (KINDS.index(one.kind), HUES.index(one.colour))
                ]
                if label == NOTHING:
                    assert not ways[row, column].any()
                elif label != (UNSURE, UNSURE):
                    assert owners, (seed, row, column)
                    far = [np.subtract(one.start, (x, y)) for one in owners]
                    assert min(abs(ways[row, column] - one).max() for one in far) < 1e-6
        for sprite in drawn.sprites:
            place = int(sprite.start[1] * GRID), int(sprite.start[0] * GRID)
            if drawn.visible(sprite, 0.0) > 0.99:
                assert kinds[place] == KINDS.index(sprite.kind)


def test_of_two_things_the_nearer_one_has_the_token() -> None:
    """Where boxes meet, a token belongs to the thing whose centre is nearer, whichever is drawn last."""
    sprites = (
        Sprite("star", "red", (0.3, 0.5), radius=0.3),
        Sprite("7", "blue", (0.6, 0.5), radius=0.3),
    )
    for order in (sprites, sprites[::-1]):
        kinds, _, _ = labels(scene(*order))
        row = kinds[4].tolist()
        assert row[2:4] == [KINDS.index("star")] * 2
        assert row[4:6] == [KINDS.index("7")] * 2


@pytest.mark.parametrize(("x", "label"), [(0.1, "star"), (0.02, UNSURE), (-0.17, "nothing")])
def test_what_is_half_in_view_is_neither_there_nor_not(x: float, label: str | int) -> None:
    """Its tokens are left out of the loss; of what is all but gone nothing is asked."""
    kinds, colours, _ = labels(scene(Sprite("star", "red", (x, 0.5), passes=True)))
    expected = {"star": KINDS.index("star"), "nothing": NOTHING[0]}.get(str(label), label)
    assert kinds[4, 0] == expected
    assert (colours[4, 0] == UNSURE) == (label == UNSURE)


def test_pictures_and_labels_belong_together() -> None:
    """As many of one as of the other, the empty tokens in the majority, and taking some takes the same of each."""
    drawn = draw_pictures(np.random.default_rng(0), 10, PAIRS, side=32, grid=4)
    assert drawn.images.shape == (10 * LOOKS, 32, 32, 3)
    assert drawn.images.dtype == torch.uint8
    there = (drawn.kinds != NOTHING[0]) & (drawn.kinds != UNSURE)
    assert torch.equal(there, (drawn.colours != NOTHING[1]) & (drawn.colours != UNSURE))
    assert 0.05 < there.float().mean() < 0.6
    some = drawn.take(torch.tensor([7, 2]))
    for name in ("images", "kinds", "colours", "ways"):
        assert torch.equal(getattr(some, name), getattr(drawn, name)[[7, 2]])
    assert all(getattr(drawn.to(torch.device("meta")), one).is_meta for one in ("images", "ways"))
    assert to_pixels(
        torch.tensor([0, 255], dtype=torch.uint8).view(1, 2, 1, 1)
    ).flatten().tolist() == [-1, 1]


def pool(seed: int = 3) -> PicturePool:
    """A small one."""
    return PicturePool(seed, PAIRS, blocks=4, scenes=2, side=32, grid=2)


def test_the_pool_of_a_step_is_the_same_when_made_anew() -> None:
    """A run that goes on at step 6 gets to the bit the batches of one that began at 1."""

    def same(one: Pictures, two: Pictures) -> bool:
        names = ("images", "kinds", "colours", "ways")
        return all(torch.equal(getattr(one, name), getattr(two, name)) for name in names)

    through = pool()
    batches = [through.batch(step, 24) for step in range(1, 9)]
    later = pool()
    assert all(same(later.batch(step, 24), batches[step - 1]) for step in (6, 7, 8))
    assert not same(batches[0], batches[1])
    assert not same(pool(4).batch(1, 24), batches[0])


def test_the_pool_goes_forward_only() -> None:
    """A step back would need pictures that are gone: it is refused, not answered wrongly."""
    one = pool()
    one.batch(5, 2)
    with pytest.raises(AssertionError, match="steps must follow"):
        one.batch(4, 2)


def test_the_probe_asks_each_token_for_what_is_there() -> None:
    """Readers that say the truth have no loss and read all things right; where nobody is sure nothing is asked."""
    torch.manual_seed(0)
    drawn = draw_pictures(np.random.default_rng(1), 4, PAIRS, side=32, grid=2)
    hidden = len(KINDS) + 1 + len(HUES) + 1 + 2
    probe = Probe(hidden)
    with torch.no_grad():
        for head, first in (
            (probe.kind, 0),
            (probe.colour, len(KINDS) + 1),
            (probe.way, hidden - 2),
        ):
            head.weight.zero_()
            head.bias.zero_()
            head.weight[:, first : first + len(head.weight)] = torch.eye(len(head.weight))
    known = [
        20 * torch.nn.functional.one_hot(one.clamp_min(0), count + 1)
        for one, count in ((drawn.kinds, len(KINDS)), (drawn.colours, len(HUES)))
    ]
    tokens = torch.cat([*known, drawn.ways], dim=-1)
    loss, figures = probe.losses(tokens, drawn)
    assert loss.item() < 1e-4
    assert (figures["kind"], figures["colour"], figures["off"]) == (
        1.0,
        1.0,
        pytest.approx(0, abs=1e-6),
    )
    unsure = drawn.kinds == UNSURE
    drawn.kinds[0, 0] = drawn.colours[0, 0] = UNSURE
    before, _ = probe.losses(tokens, drawn)
    tokens[0, 0] = 5.0
    after, _ = probe.losses(tokens, drawn)
    assert torch.equal(before, after)
    tokens[~unsure] = tokens[~unsure].roll(1, dims=-1)
    assert probe.losses(tokens, drawn)[0] > 1


def test_training_lowers_the_loss_of_the_tower_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some dozens of small steps bring it down; the text model is as it was, tower and projector are not."""
    model, run = tiny_model().train(), run_in(tmp_path)
    before = {name: one.detach().clone() for name, one in model.named_parameters()}
    monkeypatch.setattr("livevlm.training.run.LOG_EVERY", 20)
    train_vision(model, run, steps=60, seed=0, pairs=PAIRS, batch=12)
    lines = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [20, 40, 60]
    assert lines[2]["loss"] < lines[1]["loss"] < lines[0]["loss"]
    assert lines[2]["loss"] < 0.95 * lines[0]["loss"]
    moved = {name for name, one in model.named_parameters() if not torch.equal(one, before[name])}
    seeing = {f"model.{name}" for name, _ in seeing_parameters(model)}
    assert moved <= seeing
    assert len(moved) > 0.9 * len(seeing)
    pixels = torch.zeros(3, 3, 32, 32)
    assert frame_tokens(model, pixels).shape == (3, 4, TINY.hidden)


def test_false_colours_change_pictures_and_ask_no_colour_of_them() -> None:
    """A recoloured picture keeps its kinds and its empty tokens; what it is said to be coloured must not be learnt."""
    drawn = draw_pictures(np.random.default_rng(0), 8, PAIRS, side=96, grid=GRID)
    rng = np.random.default_rng(1)
    some = recoloured(rng, drawn, 0.5)
    changed = (some.images != drawn.images).flatten(1).any(1)
    assert 4 < int(changed.sum()) < 20
    there = drawn.colours < len(HUES)
    assert bool((some.colours[changed][there[changed]] == UNSURE).all())
    assert torch.equal(some.colours[~changed], drawn.colours[~changed])
    assert torch.equal(some.colours[~there], drawn.colours[~there])
    assert torch.equal(some.kinds, drawn.kinds)
    assert torch.equal(recoloured(rng, drawn, 0.0).images, drawn.images)
