"""Descent: it goes down, stops where it is told, and goes on where it was."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from livevlm.training.optimize import CLIP, Descent, cosine


class Model(nn.Module):
    """A matrix, a vector and an embedding, to be brought to a goal."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.matrix = nn.Parameter(torch.randn(6, 5))
        self.vector = nn.Parameter(torch.randn(5))
        self.embed = nn.Parameter(torch.randn(7, 5))
        self.frozen = nn.Parameter(torch.randn(5), requires_grad=False)

    def forward(self) -> Tensor:
        """How far from the goal."""
        return sum(((one - 0.3) ** 2).mean() for one in self.parameters())  # type: ignore[return-value]


def descend(model: Model, descent: Descent, steps: int) -> None:
    """So many steps."""
    for _ in range(steps):
        descent.step(model(), 0.02)


def test_the_rate_warms_up_and_comes_down() -> None:
    """A straight line up to the peak, half a cosine down to a fiftieth of it."""
    assert cosine(0, 1000, 2.0) == pytest.approx(0.04)
    assert cosine(24, 1000, 2.0) == pytest.approx(1.0)
    assert cosine(49, 1000, 2.0) == cosine(50, 1000, 2.0) == pytest.approx(2.0)
    assert cosine(525, 1000, 2.0) == pytest.approx(2.0 * 0.51)
    assert cosine(1000, 1000, 2.0) == pytest.approx(0.04)
    rates = [cosine(step, 1000, 2.0) for step in range(50, 1001)]
    assert rates == sorted(rates, reverse=True)


def test_descent_comes_to_the_bottom() -> None:
    """Matrices by Muon and the others by AdamW, each ends near its goal; what is frozen stays."""
    model = Model()
    frozen, begun = model.frozen.clone(), model()
    descent = Descent(model.named_parameters(), weight_decay=0.0)
    for step in range(300):
        descent.step(model(), 0.05 * (1 - step / 300))
    for one in (model.matrix, model.vector, model.embed):
        assert torch.allclose(one, torch.full_like(one, 0.3), atol=0.1)
    assert model() < begun
    assert torch.equal(model.frozen, frozen)


def test_matrices_turn_and_embeddings_do_not() -> None:
    """A matrix's step has singular values all alike, as Muon's has; an embedding's numbers all go equally far, as AdamW's."""
    model = Model()
    before = {name: one.detach().clone() for name, one in model.named_parameters()}
    Descent(model.named_parameters(), weight_decay=0.0).step(model(), 0.01)
    values = torch.linalg.svdvals(model.matrix.detach() - before["matrix"])
    assert values.max() < 2 * values.min()
    for name in ("embed", "vector"):
        far = (model.get_parameter(name).detach() - before[name]).abs()
        assert torch.allclose(far, torch.full_like(far, 0.01), rtol=1e-3)


def test_a_steep_slope_is_clipped() -> None:
    """However steep, the gradient of a step is at most one long."""
    model = Model()
    Descent(model.named_parameters()).step(model() * 1e4, 0.01)
    grads = [one.grad.norm() for one in model.parameters() if one.grad is not None]
    assert torch.stack(grads).norm() == pytest.approx(CLIP, rel=1e-3)


def test_a_descent_goes_on_from_its_state() -> None:
    """Three steps, and four more by another with the state of the first, are seven steps to the bit."""
    through, first, second = Model(), Model(), Model()
    descend(through, Descent(through.named_parameters()), 7)
    descent = Descent(first.named_parameters())
    descend(first, descent, 3)
    second.load_state_dict(first.state_dict())
    other = Descent(second.named_parameters())
    other.restore(descent.state())
    descend(second, other, 4)
    for one, two in zip(through.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, two)


def test_nothing_to_train_is_a_mistake() -> None:
    """A model all of which is frozen is refused."""
    with pytest.raises(AssertionError, match="nothing to train"):
        Descent(Model().requires_grad_(False).named_parameters())
