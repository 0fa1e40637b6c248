"""Two jobs on disjoint halves of a full tree: spraying keeps them apart, ECMP does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import uet
from uet.api.jobs_spec import read_jobs
from uet.base.errors import BadInput

TREE = "fat-tree:hosts=32,radix=8,levels=2"


def _slowdowns(path: Path, work: str, placement: str, balancer: str) -> list[float]:
    job = f"{{work: '{work}', ranks: 16}}"
    path.write_text(f"placement: {placement}\njobs: [{job}, {job}]\n")
    found = []
    for seed in (1, 2, 3):
        run = uet.simulate(path, TREE, lb=balancer, cc="nscc", seed=seed)
        assert run.problem is None
        found += [job["slowdown"] for job in run.summary["jobs"]]
    return found


@pytest.mark.parametrize(
    ("work", "placement"),
    [
        ("alltoall:size=4MiB", "packed"),
        ("alltoall:size=4MiB", "round-robin"),
        ("allreduce:algorithm=ring,size=4MiB", "round-robin"),
    ],
)
def test_jobs_on_halves_of_a_full_tree_hardly_notice_each_other(tmp_path: Path, work: str, placement: str) -> None:
    assert max(_slowdowns(tmp_path / "jobs.yaml", work, placement, "reps")) <= 1.05


def test_ecmp_lets_jobs_collide(tmp_path: Path) -> None:
    assert np.mean(_slowdowns(tmp_path / "jobs.yaml", "alltoall:size=4MiB", "round-robin", "ecmp")) > 1.15


def test_placements(tmp_path: Path) -> None:
    path = tmp_path / "jobs.yaml"
    jobs = "jobs: [{work: 'alltoall:size=1KiB', ranks: 3}, {work: 'alltoall:size=1KiB', ranks: 2}]\n"
    for placement, expected in (("packed", [[0, 1, 2], [3, 4]]), ("round-robin", [[0, 2, 4], [1, 3]])):
        path.write_text(f"placement: {placement}\n{jobs}")
        assert [job.hosts.tolist() for job in read_jobs(path).jobs] == expected
    path.write_text(f"placement: random\n{jobs}")
    placed = [[job.hosts.tolist() for job in read_jobs(path, 9, seed).jobs] for seed in (1, 1, 2)]
    assert placed[0] == placed[1] != placed[2]
    assert len({host for hosts in placed[0] for host in hosts}) == 5
    path.write_text("jobs: [{work: 'alltoall:size=1KiB', hosts: '7,0-1'}, {work: 'alltoall:size=1KiB', ranks: 2}]\n")
    fixed = read_jobs(path)
    assert [job.hosts.tolist() for job in fixed.jobs] == [[7, 0, 1], [2, 3]] and fixed.n_hosts == 8


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("jobs: []\n", "there are no jobs"),
        ("jobs: [{work: 'alltoall:size=1KiB'}]\n", "say on how many ranks"),
        ("jobs: [{work: 'alltoall:size=1KiB', ranks: 2, start: 5}]\n", "a time needs its unit"),
        ("jobs: [{work: 'alltoall:size=1KiB', ranks: 2, hosst: 5}]\n", "hosst"),
    ],
)
def test_wrong_files_are_explained(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "jobs.yaml"
    path.write_text(text)
    with pytest.raises(BadInput, match=complaint):
        read_jobs(path)


def test_the_example_runs(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples" / "two-jobs.yaml"
    found = uet.merge_workloads(example, tmp_path / "two.bin")
    assert found.ranks == 64 and uet.check_workload(tmp_path / "two.bin").problems == []
