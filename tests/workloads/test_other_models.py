import pytest
from pydantic import ValidationError

from uet.workloads.models.recommendation import Recommendation
from uet.workloads.models.residual import residual_network
from uet.workloads.models.volumetric import Volumetric


def test_residual_networks_have_their_published_sizes() -> None:
    sizes = {"resnet-50": (25_557_032, 4.09), "resnet-101": (44_549_160, 7.80), "resnet-152": (60_192_808, 11.51)}
    for name, (parameters, giga_multiply_adds) in sizes.items():
        net = residual_network(name)
        assert net.parameters == parameters and net.gradient_bytes() == 4 * parameters
        assert net.forward_flop / 2e9 == pytest.approx(giga_multiply_adds, abs=0.01)
    assert residual_network("resnet-152").activation_bytes() > residual_network("resnet-50").activation_bytes()


def test_convolutions_of_cosmoflow() -> None:
    net = Volumetric()
    assert net.layer_parameters == (3488, 55360, 221312, 884992, 3539456)
    assert net.parameters == sum(net.layer_parameters) + 1_050_737
    assert Volumetric(side=256).forward_flop > 7 * net.forward_flop


def test_sizes_of_a_recommendation_model() -> None:
    net = Recommendation(tables=8, rows=1000, width=16, bottom=(13, 64, 16), top=(16 + 36, 64, 1))
    assert net.dense_parameters == 14 * 64 + 65 * 16 + 53 * 64 + 65
    assert net.parameters == net.dense_parameters + 8 * 1000 * 16
    assert net.alltoall_bytes(batch=2048, ranks=128) == 4 * 2048 // 128 * 8 * 16
    with pytest.raises(ValidationError, match="must end with width=16"):
        Recommendation(tables=8, rows=1000, width=16, bottom=(13, 64), top=(52, 1))
