"""FAISS and its exact twin."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.index import ExactIndex, FaissIndex, page_index
from memory.pages import PageTable, page_means, pooled_query

CPU = torch.device("cpu")


@settings(deadline=None)
@given(
    pages=st.integers(1, 150),
    count=st.integers(1, 150),
    seed=st.integers(0, 50),
    filtered=st.booleans(),
)
def test_faiss_finds_what_exact_search_finds(
    pages: int, count: int, seed: int, filtered: bool
) -> None:
    """The flat FAISS index and the torch twin agree, page for page, with and without a filter."""
    generator = torch.Generator().manual_seed(seed)
    vectors, query = (
        torch.randn(3, pages, 16, generator=generator),
        torch.randn(3, 16, generator=generator),
    )
    allowed = torch.rand(3, pages, generator=generator) < 0.6 if filtered else None
    available = pages if allowed is None else int(allowed.sum(1).min())
    count = min(count, available)
    if count == 0:
        return
    found = []
    for index in (ExactIndex(3, 16, CPU), FaissIndex(3, 16)):
        index.add(vectors[:, : pages // 2])
        index.add(vectors[:, pages // 2 :])
        found.append(index.search(query, count, allowed).pages)
    assert torch.equal(*found)
    if allowed is not None:
        assert allowed.gather(1, found[0]).all()


@pytest.mark.parametrize("kind", ["exact", "faiss"])
def test_clearing_forgets(kind: str) -> None:
    """After a clear numbers begin at 0 again and nothing old is found."""
    index = page_index(kind, 1, 4, CPU)  # type: ignore[arg-type]
    index.add(torch.eye(4)[None] * 100)
    index.clear()
    index.add(torch.eye(4)[None, 2:])
    assert index.search(torch.tensor([[0.0, 0.0, 0.0, 1.0]]), 2, None).pages.tolist() == [[1, 0]]


def test_auto_is_faiss_on_the_host() -> None:
    """Without an accelerator the default is FAISS."""
    assert isinstance(page_index("auto", 1, 4, CPU), FaissIndex)


def test_page_means_and_pooled_query_give_mean_attention_logits() -> None:
    """A page's score is the mean, over its keys, the question's tokens and the heads, of the position-free attention logit."""
    generator = torch.Generator().manual_seed(0)
    keys, queries = (
        torch.randn(1, 2, 16, 8, generator=generator),
        torch.randn(1, 4, 5, 8, generator=generator),
    )
    score = (page_means(keys, 8)[0, 1] * pooled_query(queries, 2)[0]).sum()
    logits = [
        float(queries[0, head, token] @ keys[0, head // 2, key])
        for head in range(4)
        for token in range(5)
        for key in range(8, 16)
    ]
    # Two of the four heads share each kv head, so the sum over kv heads counts every head half.
    torch.testing.assert_close(
        score, torch.tensor(2 * sum(logits) / len(logits)), atol=1e-4, rtol=1e-4
    )


def test_table_grows_page_by_page_and_equals_a_new_one() -> None:
    """Pages that came one by one are the pages of the whole; an unfinished page waits."""
    keys = torch.randn(2, 2, 50, 8, generator=torch.Generator().manual_seed(4))
    grown, whole = (PageTable(ExactIndex(2, 16, CPU), 8) for _ in range(2))
    for stop in range(0, 51, 5):
        grown.sync(keys[:, :, :stop])
    whole.sync(keys)
    query = torch.randn(2, 16, generator=torch.Generator().manual_seed(5))
    assert len(grown) == len(whole) == 6
    assert torch.equal(grown.best(query, 3).pages, whole.best(query, 3).pages)
    assert (grown.best(query, 3).scores.diff(dim=1) <= 0).all()
