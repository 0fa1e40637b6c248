from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from uet.base.errors import BadInput, CheckFailed, Interrupted
from uet.base.runs import RunFolder, read_manifest, to_json, versions


def _write(target: Path, **options: Any) -> None:
    with RunFolder(target, "test", seed=7, **options) as run:
        assert not target.exists() or options.get("force")
        run.write_spec({"family": "torus", "dims": [4, 4]})
        run.write_json("summary.json", {"flows": np.int64(3), "fct_us": np.float64(1.5), "list": np.arange(2)})
        run.write_json("perf.json", {"wall_s": 0.25})
        run.write_table("flows", {"flow": np.arange(3), "fct_us": [1.0, 2.0, 3.0]})
        run.path("figures/a.csv").write_text("x\n1\n")


def test_a_finished_run_has_everything_and_no_leftovers(tmp_path: Path) -> None:
    from pyarrow import parquet

    target = tmp_path / "deep" / "run"
    _write(target)
    assert [p.name for p in target.parent.iterdir()] == ["run"]
    manifest = read_manifest(target)
    assert manifest["status"] == "complete"
    assert manifest["seed"] == 7
    assert manifest["versions"]["numpy"] == np.__version__
    named = {"spec.yaml", "summary.json", "flows.parquet", "figures/a.csv"}
    assert set(manifest["digests"]) == named
    for name, digest in manifest["digests"].items():
        assert hashlib.sha256((target / name).read_bytes()).hexdigest() == digest
    assert parquet.read_table(target / "flows.parquet").column("fct_us").to_pylist() == [1.0, 2.0, 3.0]
    assert json.loads((target / "summary.json").read_text()) == {"flows": 3, "fct_us": 1.5, "list": [0, 1]}


def test_equal_runs_have_equal_digests(tmp_path: Path) -> None:
    _write(tmp_path / "a")
    _write(tmp_path / "b")
    assert read_manifest(tmp_path / "a")["digests"] == read_manifest(tmp_path / "b")["digests"]


def test_an_existing_folder_is_kept_unless_forced(tmp_path: Path) -> None:
    _write(tmp_path / "run")
    (tmp_path / "run" / "note.txt").write_text("mine")
    with pytest.raises(BadInput, match="already exists"):
        _write(tmp_path / "run")
    _write(tmp_path / "run", force=True)
    assert not (tmp_path / "run" / "note.txt").exists()


def test_force_never_removes_what_is_not_a_run(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("")
    for name, complaint in (("home", "is not a run folder"), ("file", "is not a folder")):
        with pytest.raises(BadInput, match=complaint):
            _write(tmp_path / name, force=True)
    (tmp_path / "empty").mkdir()
    _write(tmp_path / "empty", force=True)
    assert read_manifest(tmp_path / "empty")["status"] == "complete"


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written"):
        RunFolder(tmp_path / "file" / "run", "test")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (CheckFailed("wrong bytes"), "invalid"),
        (KeyboardInterrupt(), "partial"),
        (Interrupted("stop"), "partial"),
        (ValueError(), None),
    ],
)
def test_what_an_unfinished_run_leaves_behind(tmp_path: Path, error: BaseException, status: str | None) -> None:
    with pytest.raises(type(error)), RunFolder(tmp_path / "run", "test") as run:
        run.write_json("summary.json", {})
        raise error
    if status is None:
        assert list(tmp_path.iterdir()) == []
        return
    manifest = read_manifest(tmp_path / "run")
    assert manifest["status"] == status
    assert manifest["errors"] == ["wrong bytes" if status == "invalid" else "interrupted"]


def test_a_run_may_say_itself_how_it_ended(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", "test") as run:
        run.end_as("partial", ["stopped at 5 ms"])
    manifest = read_manifest(tmp_path / "run")
    assert (manifest["status"], manifest["errors"]) == ("partial", ["stopped at 5 ms"])


def test_reading_a_manifest_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("[]")
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(BadInput, match="is not a run folder"):
            read_manifest(folder)


def test_json_refuses_what_json_cannot_say() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json({"x": float("nan")})
    with pytest.raises(TypeError, match="has no JSON form"):
        to_json({"x": object()})


def test_versions_of_absent_distributions_are_null() -> None:
    assert versions(["no-such-distribution"])["no-such-distribution"] is None
