"""A template loads from a user's file, compiles, runs and carries a simulation; wrong files are refused."""

import os
import subprocess
import sys

import pytest
from part_driver import BalancerDriver, ControllerDriver

from emulation.packet.simulate import SimulationSettings, simulate
from topologies.registry import build
from uet.base.errors import BadInput
from uet.base.jit import JIT
from uet.schedule.works import build_work
from uet.transport.balancing.contract import ECN, GOOD
from uet.transport.congestion.contract import ACK, NACK, TIMEOUT
from uet.transport.plugins import balancer_address, controller_address, load, names
from uet.transport.templates import new_part


@pytest.fixture
def files(tmp_path):
    paths = {}
    for kind in ("controller", "balancer"):
        path = tmp_path / f"{kind}.py"
        path.write_text(new_part(kind, "Mine"))
        assert len(path.read_text().splitlines()) <= 60
        paths[kind] = f"{path}:Mine"
    return paths


def test_the_controller_template_halves_once_per_round_trip(files):
    driver = ControllerDriver(files["controller"])
    full = driver.window
    assert driver.tell(ACK, now=1, acked=full, ecn=0) == full + 4096 + 108
    assert driver.tell(NACK, now=20_000_000, packet=4204) == (full + 4204) // 2
    assert driver.tell(NACK, now=20_000_001, packet=4204) == (full + 4204) // 2
    assert driver.tell(TIMEOUT, now=20_000_002, packet=4204) == 4204


def test_the_balancer_template_moves_away_from_marks(files):
    driver = BalancerDriver(files["balancer"])
    (first,) = set(driver.select(5))
    driver.tell(GOOD, first)
    assert set(driver.select(5)) == {first}
    driver.tell(ECN, first)
    assert set(driver.select(5)) != {first}


def test_templates_carry_a_simulation(files):
    fabric = build("fat-tree:hosts=16,radix=4,levels=3")
    result = simulate(fabric, build_work("incast:fan_in=6,size=200000", 16, 1), SimulationSettings(**files))
    assert result.totals["finished"] == 6
    assert result.totals["nacks"] > 0 or result.totals["ecn_marks"] > 0


@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_a_part_of_ones_own_recompiles_nothing_else(files):
    from emulation.packet import loop

    fabric, work = build("fat-tree:hosts=4,radix=4,levels=2"), build_work("sendrecv:src=0,dst=1,size=9000", 4)
    simulate(fabric, work, SimulationSettings())
    before = (list(loop.run.signatures), dict(loop.run.stats.cache_misses), dict(loop.run.stats.cache_hits))
    simulate(fabric, work, SimulationSettings(**files))
    assert (list(loop.run.signatures), dict(loop.run.stats.cache_misses), dict(loop.run.stats.cache_hits)) == before


@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_a_part_is_found_compiled_by_the_next_process(files, tmp_path):
    code = (
        f"from uet.transport.plugins import controller_address; print(controller_address({files['controller']!r}) > 0)"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout == "True\n"


@pytest.mark.parametrize(
    ("kind", "text", "match"),
    [
        ("controller", "class Other: pass", "defines no 'Mine'"),
        ("controller", "class Mine: pass", "lacks STATE"),
        ("balancer", "import numpy as np\nclass Mine:\n  STATE = np.dtype('i8')", "lacks STATE or the function"),
        ("balancer", "import numpy as np\nclass Mine:\n  STATE = np.dtype([('x', 'i8', (33,))])\n"
         "  def balance(a, b, c, d, e): return 0", "STATE takes 264 bytes"),
        ("balancer", "def f(:\n", "line 1"),
        ("controller", "import nowhere_to_be_found\n", "nowhere_to_be_found"),
    ],
)  # fmt: skip
def test_wrong_files_are_refused_in_a_sentence(tmp_path, kind, text, match):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(BadInput, match=match):
        load(kind, f"{path}:Mine")


@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_code_that_cannot_be_compiled_is_refused_in_a_sentence(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(new_part("controller", "Mine").replace('event["ecn"]', 'event["nonsense"]'))
    with pytest.raises(BadInput, match="cannot be compiled"):
        controller_address(f"{path}:Mine")


def test_wrong_names_are_refused(tmp_path):
    with pytest.raises(BadInput, match="nscc"):
        load("controller", "nsc")
    with pytest.raises(BadInput, match="no such file"):
        load("controller", f"{tmp_path}/none.py:Mine")
    with pytest.raises(BadInput, match="write path"):
        load("controller", "mine.py:")
    with pytest.raises(BadInput, match="at most 256"):
        balancer_address("mixed", 512)
    with pytest.raises(BadInput, match="templates"):
        new_part("router", "Mine")
    with pytest.raises(BadInput, match="cannot name"):
        new_part("controller", "my part")


def test_the_rooms_hold_these_parts():
    assert names("controller") == ["constant", "dcqcn", "dctcp", "nscc", "rccc", "swift"]
    assert names("balancer") == ["bitmap", "ecmp", "mixed", "oblivious", "reps"]
