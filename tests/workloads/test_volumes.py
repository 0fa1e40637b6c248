import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uet.base.errors import BadInput
from uet.base.spec import check
from uet.workloads.models.presets import PRESETS, find_model
from uet.workloads.models.transformer import Transformer
from uet.workloads.parallelism import Parallelism
from uet.workloads.volumes import (
    gradient_communications,
    held_of_layer,
    hop_bytes,
    layer_communications,
    volumes,
)

CALCULON = [
    # Rows of calculon (github.com/calculon-ai/calculon, commit caa4b11), run by us: hidden, heads, head size, layers;
    # tp, pp, dp, microbatch, chunks, tensor communication, recomputation; bytes of a layer's tensor collectives
    # forward, backward and repeated, of a hop and of a layer's gradients.
    ((6144, 64, 96, 48), (8, 1, 1, 4, 1, "ar", "full"), (201326592, 201326592, 201326592, 0, 0)),
    ((12288, 96, 128, 96), (8, 8, 1, 1, 3, "ar", "full"), (100663296, 100663296, 100663296, 50331648, 0)),
    ((20480, 128, 160, 105), (8, 35, 1, 1, 3, "ar", "full"), (167772160, 167772160, 167772160, 83886080, 0)),
    ((5140, 40, 128, 40), (1, 1, 8, 1, 1, "ar", "full"), (0, 0, 0, 0, 633289120)),
    ((5140, 40, 128, 40), (4, 8, 2, 1, 1, "ar", "none"), (42106880, 42106880, 0, 21053440, 158353120)),
    ((5140, 40, 128, 40), (4, 8, 2, 1, 1, "p2p", "none"), (42106880, 42106880, 0, 5263360, 158353120)),
    ((12288, 96, 128, 96), (8, 16, 4, 1, 2, "rs_ag", "none"), (201326592, 201326592, 0, 6291456, 453083136)),
    ((12288, 96, 128, 96), (8, 16, 4, 1, 2, "rs_ag", "selective"),
     (201326592, 201326592, 50331648, 6291456, 453083136)),
    ((25600, 160, 160, 128), (8, 8, 8, 1, 1, "rs_ag", "full"),
     (419430400, 419430400, 419430400, 13107200, 1966284800)),
]  # fmt: skip


@pytest.mark.parametrize(("sizes", "deal", "expected"), CALCULON)
def test_sizes_equal_calculon(sizes: tuple[int, ...], deal: tuple[int | str, ...], expected: tuple[int, ...]) -> None:
    hidden, heads, head_size, layers = sizes
    tp, pp, dp, micro, chunks, kind, recompute = deal
    model = Transformer(
        layers=layers, hidden=hidden, heads=heads, head_size=head_size, ffn=4 * hidden, vocabulary=0, sequence=2048
    )
    how = check(Parallelism, {
        "tp": tp, "pp": pp, "dp": dp, "micro_batch": micro, "chunks": chunks, "recompute": recompute,
        "sequence_parallel": kind == "rs_ag", "scatter": kind != "ar",
        "schedule": "interleaved" if chunks != 1 else "1f1b",
    }, "how")  # fmt: skip
    layer = layer_communications(model, how, 0)
    by_phase = [sum(c.vector_bytes for c in layer if c.phase == p) for p in ("forward", "backward", "recompute")]
    gradients = gradient_communications(how, held_of_layer(model, how, 0))
    hop = hop_bytes(model, how) if how.pp > 1 else 0
    assert (*by_phase, hop, sum(c.vector_bytes for c in gradients)) == expected


def test_llama_405b_in_closed_form() -> None:
    model, how, batch = PRESETS["llama3-405b"], Parallelism(tp=8, pp=16, dp=128, sequence_parallel=True), 2048
    found, micro, vector = volumes(model, how, batch), 16, 2 * 8192 * 16384
    assert found.total_bytes["tp"] == how.ranks // 16 // 8 * 7 * vector * 8 * 126 * micro  # 8 halves of an allreduce
    assert found.total_bytes["pp"] == 2 * 15 * micro * (how.ranks // 16) * vector // 8
    layer = (model.layer_parameters(0) - model.layer_vectors) // 8 + model.layer_vectors
    assert found.total_bytes["dp"] == 2 * 127 * 2 * layer * 126 * 8
    assert found.total_bytes["ep"] == found.total_bytes["cp"] == 0


def test_zero_3_gathers_parameters_twice_and_shares_gradients_once() -> None:
    model, deal = PRESETS["llama3-8b"], {"dp": 64, "micro_batch": 2}
    plain, whole = (volumes(model, Parallelism(**deal, zero=zero), 128) for zero in (0, 3))
    assert whole.rank_bytes["dp"] == pytest.approx(1.5 * plain.rank_bytes["dp"], abs=10)
    assert volumes(model, Parallelism(**deal, zero=1), 128).total_bytes == plain.total_bytes


def test_experts_send_each_token_to_top_k() -> None:
    model, how = PRESETS["mixtral-8x7b"], Parallelism(dp=16, ep=8)
    found = volumes(model, how, 16)
    token_bytes = 2 * model.top_k * model.hidden * model.sequence
    assert found.rank_bytes["ep"] == 4 * 32 * token_bytes * 7 // 8
    own = 32 * 3 * 4096 * 14336 * 2  # one expert per rank, over two ranks
    assert found.rank_bytes["dp"] > own


def test_keys_and_values_are_gathered_over_context() -> None:
    model, how = PRESETS["llama3-70b"], Parallelism(tp=8, cp=4)
    found = volumes(model, how, 1)
    assert found.rank_bytes["cp"] == 3 * 80 * 3 * (2 * 8192 * 2 * 128) // 4


def test_two_copies_of_a_model_add_up_over_both() -> None:
    model, deal = PRESETS["gpt3-175b"], {"tp": 8, "pp": 8, "dp": 2}
    one, two = (volumes(model, Parallelism(**deal, schedule=s), 32) for s in ("1f1b", "chimera"))
    assert one.total_bytes["tp"] == two.total_bytes["tp"] and one.total_bytes["pp"] == two.total_bytes["pp"]
    assert two.total_bytes["dp"] == 3 * one.total_bytes["dp"]  # (2 d - 1)/(d - 1) of the ring, d = 2


@settings(max_examples=60)
@given(
    st.sampled_from(["llama3-8b", "mixtral-8x7b", "megatron-7.5b"]), st.sampled_from([1, 2, 4, 8]),
    st.sampled_from([1, 2, 4]), st.sampled_from([1, 2, 8]), st.sampled_from([1, 2, 4]), st.sampled_from([1, 2]),
    st.permutations(["tp", "cp", "pp", "dp"]),
)  # fmt: skip
def test_groups_partition_the_ranks(
    name: str, tp: int, pp: int, dp: int, ep: int, cp: int, order: list[str]
) -> None:  # fmt: skip
    how = Parallelism(tp=tp, pp=pp, dp=dp, cp=cp, ep=min(ep, dp * cp), order=tuple(order))
    model = find_model(name)
    sizes = {"tp": tp, "cp": cp, "pp": pp, "dp": dp, "ep": how.ep, "replica": dp * cp,
             "expert-replica": dp * cp // how.ep}  # fmt: skip
    for dimension, size in sizes.items():
        groups = {tuple(how.group(dimension, rank).tolist()) for rank in range(how.ranks)}
        members = np.sort([rank for group in groups for rank in group])
        assert {len(g) for g in groups} == {size} and np.array_equal(members, np.arange(how.ranks))
        assert all(rank in how.group(dimension, rank) for rank in range(how.ranks))
    if how.ep == 1 or model.experts:
        found = volumes(model, how, 4 * dp)
        assert all(n >= 0 for n in found.total_bytes.values())
        assert (found.total_bytes["tp"] == 0) == (tp == 1) and (found.total_bytes["pp"] == 0) == (pp == 1)


@pytest.mark.parametrize(
    ("model", "deal", "batch", "says"),
    [
        ("gpt3-175b", {"pp": 7}, 1, "96 layers cannot be dealt to pp=7 .* nearest pp: 6"),
        ("gpt3-175b", {"tp": 7}, 1, "tp=7 must divide its 96 heads"),
        ("gpt3-175b", {"ep": 2}, 1, "has no experts"),
        ("mixtral-8x7b", {"dp": 16, "ep": 16}, 16, "ep=16 must divide its 8 experts"),
        ("mixtral-8x7b", {"dp": 2, "ep": 4}, 2, "ep=4 must divide the 2 ranks"),
        ("gpt3-175b", {"dp": 3}, 10, "no multiple of dp=3 .* nearest: 9"),
        ("gpt3-175b", {"pp": 3, "schedule": "chimera"}, 4, "even number of stages"),
        ("gpt3-175b", {"pp": 2, "chunks": 2}, 4, "need the interleaved schedule"),
        ("gpt3-175b", {"cp": 3}, 4, "sequence of 2048 cannot be dealt to cp=3"),
        ("gpt3-175b", {"pp": 2, "schedule": "chimera", "zero": 3}, 4, "two copies"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(model: str, deal: dict[str, object], batch: int, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        volumes(PRESETS[model], check(Parallelism, deal, "how"), batch)


def test_llama_405b_leaves_room_for_embedding_and_head() -> None:
    dealt = Parallelism(pp=16).layers_of(PRESETS["llama3-405b"])
    assert [len(layers) for layers in dealt] == [7, *[8] * 14, 7]
    assert [k for layers in dealt for k in layers] == list(range(126))
