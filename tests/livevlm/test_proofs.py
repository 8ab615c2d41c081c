"""Proofs that need no trained weights: on tiny random models of the real class, in float32 and bfloat16.

With nothing evicted, streaming in chunks must be the model's own forward pass over everything at once.
"""

from __future__ import annotations

import pytest
import torch

from livevlm.answer import question_queries
from livevlm.decoder import AnswerPast, ChunkPast
from livevlm.hf import LlavaOnevision
from livevlm.ingest import prefill
from livevlm.reducer import make_reducer
from livevlm.remembering import MemoryRecipe
from livevlm.vision import FrameEncoder
from memory import StreamMemory
from memory.scoring import attention_mass
from tests.livevlm.tiny import backbone, frames

DTYPES = [torch.float32, torch.bfloat16]
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.15}
CHUNKS = (1, 3, 2, 4, 1, 1)
TOTAL = sum(CHUNKS)
TIE = {torch.float32: 0.0, torch.bfloat16: 0.15}
UNUSED = 319  # an id that no answer reaches, so that none ends early
EVERYTHING = {"retention": "full", "reader": "full", "short_term_frames": 4, "budget_tokens": 4096}


def streamed(
    model: LlavaOnevision, chunks: tuple[int, ...] = CHUNKS, **recipe: object
) -> tuple[StreamMemory, torch.Tensor]:
    """A memory of the frames, taken in chunk by chunk, and all frames' tokens in order."""
    encoder = FrameEncoder(model, make_reducer(model.own_grid, tokens=0, similarity=0.0))
    prompt = model.codec.layout("").before_video
    made = MemoryRecipe(**{**EVERYTHING, **recipe})  # type: ignore[arg-type]
    memory = made.build(model, prompt=prompt, frame_tokens=4, chunk_frames=max(chunks))
    waiting, embeds = frames(sum(chunks)), []
    for size in chunks:
        tokens, waiting = encoder.encode(waiting[:size]), waiting[size:]
        memory.append(prefill(model, memory, tokens, 8))
        embeds += [frame.embeds for frame in tokens]
    return memory, torch.cat(embeds)


def one_shot(model: LlavaOnevision, video: torch.Tensor, question: str) -> torch.Tensor:
    """The embeddings of prompt, video and question, as the model itself would be given them."""
    layout = model.codec.layout("")
    before, after = (
        model.codec.encode(text) for text in (layout.before_video, layout.ask(question))
    )
    return torch.cat((model.embed(before), video, model.embed(after)))[None]


@pytest.mark.parametrize("dtype", DTYPES)
def test_streaming_in_chunks_equals_the_models_own_forward(dtype: torch.dtype) -> None:
    """The question's logits over the streamed memory are those of one forward pass over everything."""
    model = backbone(dtype)
    memory, video = streamed(model)
    question = model.codec.encode(model.codec.layout("").ask("what colour is the star?"))
    past = AnswerPast(
        memory.recall(question_queries(model, memory, question)), memory.rope, len(question)
    )
    ours = model.logits(model.forward(model.embed(question), past))
    with torch.inference_mode():
        theirs = (
            model._model(inputs_embeds=one_shot(model, video, "what colour is the star?"))
            .logits[0, -len(question) :]
            .float()
        )
    torch.testing.assert_close(ours, theirs, atol=TOLERANCE[dtype], rtol=0.02)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("question", ["what colour is the star?", "a red star", "q"])
def test_greedy_answers_equal_generate(dtype: torch.dtype, question: str) -> None:
    """Token for token what transformers' own greedy `generate` gives on the whole video; in bfloat16,
    but for ties within rounding.
    """
    model = backbone(dtype)
    memory, video = streamed(model)
    given = one_shot(model, video, question)
    with torch.inference_mode():
        theirs = model._model.generate(
            inputs_embeds=given, attention_mask=torch.ones(1, given.shape[1]), max_new_tokens=12, min_new_tokens=12,
            do_sample=False, eos_token_id=UNUSED,
        )[0].tolist()  # fmt: skip
    assert len(set(theirs)) > 2
    asking = model.codec.encode(model.codec.layout("").ask(question))
    past = AnswerPast(
        memory.recall(question_queries(model, memory, asking)), memory.rope, len(asking) + 12
    )
    logits = model.logits(model.forward(model.embed(asking), past)[-1])
    for token in theirs:
        assert float(logits.max() - logits[token]) <= TIE[dtype]
        logits = model.logits(model.forward(model.embed([token]), past))[0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_frame_tokens_equal_the_models_own_video_features(dtype: torch.dtype) -> None:
    """Tower, projector and pooling give what the model's public video path gives, but for the newline at the end of a clip."""
    model = backbone(dtype)
    encoder = FrameEncoder(model, make_reducer(model.own_grid, tokens=0, similarity=0.0))
    pictures = frames(3)
    ours = torch.cat([frame.embeds for frame in encoder.encode(pictures)])
    pixels = (
        torch.stack([torch.from_numpy(frame.image) for frame in pictures]).permute(0, 3, 1, 2)
        / 127.5
        - 1
    )
    with torch.inference_mode():
        theirs = model._model.get_video_features(pixels[None].to(dtype)).pooler_output[0, :-1]
    torch.testing.assert_close(ours, theirs, atol=TOLERANCE[dtype] / 10, rtol=0.02)


def test_scores_equal_the_attention_of_the_models_own_forward() -> None:
    """What retention ranks by is the mean of the last rows of the model's own attention weights."""
    model = backbone(torch.float32)
    memory, video = streamed(model, (TOTAL,))
    keys, count = memory.context().keys, 8
    past = ChunkPast(None, model.rope, count)
    before = model.embed(model.codec.encode(model.codec.layout("").before_video))
    model.forward(torch.cat((before, video)), past)
    model._model.set_attn_implementation("eager")
    try:
        with torch.inference_mode():
            weights = model._model.model.language_model(
                inputs_embeds=torch.cat((before, video))[None], output_attentions=True
            ).attentions
    finally:
        model._model.set_attn_implementation("sdpa")
    places = torch.arange(keys.shape[2])
    for layer, theirs in enumerate(weights):
        rotated = model.rope.rotate(keys[layer], places)
        ours = attention_mass(model.rope.rotate(past.queries[layer], places[-count:]), rotated)
        torch.testing.assert_close(
            ours, theirs[0, :, -count:].mean(dim=(0, 1)), atol=1e-5, rtol=1e-3
        )


@pytest.mark.parametrize("dtype", DTYPES)
def test_chunk_size_does_not_change_the_memory(dtype: torch.dtype) -> None:
    """Frame by frame or all at once, the stored keys and values are the same."""
    model = backbone(dtype)
    one, _ = streamed(model, (1,) * 6)
    other, _ = streamed(model, (6,))
    torch.testing.assert_close(
        one.context().keys, other.context().keys, atol=TOLERANCE[dtype], rtol=0.05
    )
    torch.testing.assert_close(
        one.context().values, other.context().values, atol=TOLERANCE[dtype], rtol=0.05
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_unfilled_budget_and_full_retrieval_equal_everything_kept(dtype: torch.dtype) -> None:
    """Vision Sink Bucketing below its budget and retrieval at ratio 1 read bit for bit what keeping and reading all reads."""
    model = backbone(dtype)
    asked = model.codec.encode("what colour is the star?")
    everything, bounded = (
        streamed(model, **recipe)[0]
        for recipe in (
            {},
            {"retention": "vsb", "reader": "par", "retrieval_ratio": 1.0, "budget_tokens": 64},
        )
    )
    recalls = [
        memory.recall(question_queries(model, memory, asked)) for memory in (everything, bounded)
    ]
    assert torch.equal(recalls[0].keys, recalls[1].keys)
    assert torch.equal(recalls[0].values, recalls[1].values)
