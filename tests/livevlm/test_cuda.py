"""The same proofs on a CUDA device, where kernels, masks and transfers differ. Off by default: `pytest -m gpu`."""

from __future__ import annotations

import pytest
import torch

from livevlm.answer import question_queries
from livevlm.decoder import AnswerPast
from tests.livevlm.test_proofs import CHUNKS, DTYPES, TOLERANCE, one_shot, streamed
from tests.livevlm.tiny import backbone

pytestmark = pytest.mark.gpu
QUESTION = "what colour is the star?"


@pytest.mark.parametrize("dtype", DTYPES)
def test_streaming_on_the_device_equals_the_models_own_forward(dtype: torch.dtype) -> None:
    """Chunked prefill with the fused kernels gives the logits of one forward pass over everything."""
    model = backbone(dtype, "cuda")
    memory, video = streamed(model)
    asking = model.codec.encode(model.codec.layout("").ask(QUESTION))
    recall = memory.recall(question_queries(model, memory, asking))
    past = AnswerPast(recall, memory.rope, len(asking))
    ours = model.logits(model.forward(model.embed(asking), past))
    with torch.inference_mode():
        theirs = model._model(inputs_embeds=one_shot(model, video, QUESTION)).logits
    expected = theirs[0, -len(asking) :].float()
    torch.testing.assert_close(ours, expected, atol=TOLERANCE[dtype], rtol=0.02)


@pytest.mark.parametrize(
    "recipe",
    [
        {"retention": "vsb", "reader": "par", "budget_tokens": 16, "retrieval_ratio": 1.0},
        {"retention": "vsb", "reader": "par", "budget_tokens": 32, "retrieval_ratio": 0.5},
        {"retention": "full", "reader": "rekv"},
    ],
    ids=["vsb", "par", "rekv"],
)
def test_the_device_remembers_what_the_host_remembers(recipe: dict[str, object]) -> None:
    """Selection, paging and offloading give the same tokens on both; a recall lies on the device, its times on the host."""
    recalls = []
    for device in ("cpu", "cuda"):
        model = backbone(torch.float32, device)
        memory, _ = streamed(model, CHUNKS, **recipe)
        asking = model.codec.encode(QUESTION)
        recalls.append(memory.recall(question_queries(model, memory, asking)))
    host, device_ = recalls
    assert device_.keys.is_cuda
    assert not device_.times.is_cuda
    assert torch.equal(host.frames, device_.frames)
    torch.testing.assert_close(host.keys, device_.keys.cpu(), atol=1e-3, rtol=1e-3)
