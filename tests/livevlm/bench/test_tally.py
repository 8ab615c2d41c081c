"""What is made of the marks: shares, weak types, conclusions, rows."""

from __future__ import annotations

from fractions import Fraction

from livevlm.bench.contenders import Contender
from livevlm.bench.longstream import Asked
from livevlm.bench.sitting import Mark, Sitting
from livevlm.bench.tally import (
    Result,
    conclusions,
    detail_table,
    reference,
    row,
    said,
    summary_table,
    weak_types,
)
from livevlm.config import Config
from livevlm.training.evaluate import Score
from livevlm.training.questions import Exchange
from memory import MemoryStats
from memory.recall import Tiers

SHARE = Fraction(1, 44)
STATS = MemoryStats(
    tokens=Tiers(5, 300, 128), device_bytes=2000, host_bytes=30, evicted_tokens=0, from_s=0, to_s=9
)


def result(
    name: str, right: dict[str, str], minutes: float = 125, stats: MemoryStats = STATS
) -> Result:
    """A contender whose answers to each type were so: "10" is one right and one wrong. Types of now have no distance."""
    marks = [
        Mark(
            Asked(3, None if type_.startswith("now") else 5.0, Exchange(type_, "?", "yes")),
            "yes" if one == "1" else "no",
            0.01 * (place + 1),
        )
        for type_, answers in right.items()
        for place, one in enumerate(answers)
    ]
    share = None if name.startswith("full") else SHARE
    contender = Contender(name, share, Config.model_validate({"version": 1}))
    return Result(minutes, 100, 80_000, contender, [Sitting(marks, stats)])


def test_types_that_everything_kept_and_read_cannot_answer_are_weak() -> None:
    """By full+full alone where it took part, whatever others get right; else by the best of what keeps everything."""
    whole = result("full+full", {"now_count": "1110", "past_first": "1000"}, minutes=4)
    part = result("full+par", {"now_count": "0000", "past_first": "1111"})
    assert weak_types([whole, part], 0.6) == {"past_first": Score(1, 4)}
    worse = result("full+rekv", {"now_count": "0000", "past_first": "0000"})
    assert weak_types([worse, part], 0.6) == {"now_count": Score(0, 4)}
    assert weak_types([result("vsb+par", {"now_count": "0"})], 0.6) == {}


def test_the_reference_is_all_that_can_be_read_else_the_better_part() -> None:
    """Of the same streams; weak types do not choose it."""
    par = result("full+par", {"past_did": "1100", "past_first": "1111"})
    rekv = result("full+rekv", {"past_did": "1110", "past_first": "0000"})
    assert reference([par, rekv], 125) is par
    assert reference([par, rekv], 125, {"past_first"}) is rekv
    whole = result("full+full", {"past_did": "0000"})
    assert reference([par, rekv, whole], 125) is whole
    assert reference([par, rekv, whole], 16) is None


def test_conclusions_leave_weak_types_out_and_compare_at_the_same_share() -> None:
    """Ours against everything kept, and against the best of the other methods: another form of ours is none of them."""
    results = [
        result("full+par", {"past_did": "1111", "past_first": "0000"}),
        result("vsb+par", {"past_did": "1111", "past_first": "0000"}),
        result("vsb+par+archive", {"now_count": "1", "past_did": "110", "past_first": "1111"}),
        result("window+par", {"past_did": "1000", "past_first": "1111"}),
        result("topk+par", {"past_did": "1100", "past_first": "0000"}),
    ]
    (found,) = conclusions(results, {"past_first": Score(0, 4)}, "vsb+par+archive")
    assert (found["minutes"], found["of_everything"]) == (125, "1/44")
    assert found["ours"]["memory"] == "vsb+par+archive"
    assert (found["ours"]["right"], found["ours"]["asked"]) == (3, 4)
    assert found["ours"]["past"]["asked"] == 3
    assert found["everything"]["memory"] == "full+par"
    assert found["best_other"]["memory"] == "topk+par"
    assert found["of_everythings_accuracy"] == 0.75
    line = said(found)
    assert "125 min, 1/44 of everything: vsb+par+archive 75.0%" in line
    assert "75.0% of everything kept's accuracy" in line


def test_where_every_type_is_weak_nothing_is_concluded() -> None:
    """And that is said."""
    results = [result("full+par", {"past_did": "0"}), result("vsb+par", {"past_did": "0"})]
    (found,) = conclusions(results, weak_types(results, 0.6), "vsb+par")
    assert found["ours"] is None
    assert "no type is left" in said(found)


def test_a_row_holds_every_type_at_every_distance_and_what_it_cost() -> None:
    """Shares with their intervals; bytes as the memory gave them, an archive's host bytes being the archive's."""
    one = result("vsb+par", {"past_did": "110", "now_count": "1"})
    found = row(one, {"now_count": Score(0, 1)})
    cells = {(cell["type"], cell["minutes"]): cell for cell in found["cells"]}
    assert set(cells) == {("past_did", 5.0), ("now_count", None)}
    did = cells["past_did", 5.0]
    assert (did["right"], did["asked"], did["share"]) == (2, 3, 0.6667)
    assert 0 < did["low"] < did["share"] < did["high"] < 1
    assert (found["right"], found["asked"]) == (2, 3)
    assert (found["device_bytes"], found["host_bytes"], found["archive_bytes"]) == (2000, 30, 0)
    assert found["device_of_everything"] == 0.025
    assert (found["tokens"], found["ttft_ms"]) == (428, 15.0)
    tiers = Tiers(5, 300, 128, archive=70)
    stats = MemoryStats(
        tokens=tiers,
        device_bytes=1,
        host_bytes=30,
        evicted_tokens=0,
        from_s=0,
        to_s=9,
        disk_bytes=4,
    )
    assert row(result("vsb+par+archive", {"past_did": "1"}, stats=stats), {})["archive_bytes"] == 34


def test_tables_show_weak_types_and_do_not_count_them() -> None:
    """The detailed one names them as weak; the other one's shares are without."""
    one, weak = (
        result("vsb+par", {"past_did": "11", "past_first": "00"}),
        {"past_first": Score(0, 2)},
    )
    head, rows = detail_table([one], weak, [None, 5.0])
    assert head == ["memory", "of all", "question", "right", "now", "5 min"]
    assert [line[2] for line in rows] == ["past_did", "past_first (weak)"]
    assert rows[1][3:] == ["0 % (0-66)", "", "0 % (0-66)"]
    head, (line,) = summary_table([one], weak, [None, 5.0])
    assert dict(zip(head, line, strict=True))["right"].startswith("100 %")
