from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from uet.base.errors import BadInput
from uet.base.spec import Spec, check, is_file, parse_spec, read_mapping, read_spec
from uet.base.values import Dims, SizeBytes, StrictModel, TimePs

_WORD = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)
_VALUE = st.one_of(
    st.just(True), st.from_regex(r"[a-z0-9.:x]{1,8}", fullmatch=True), _WORD.map(lambda w: f"({w}:k=1,q)")
)


class Shape(StrictModel):
    grid: Dims
    size: SizeBytes = 0
    delay: TimePs = 0
    planes: int = Field(1, ge=1)


@given(_WORD, st.dictionaries(_WORD, _VALUE, max_size=4))
def test_a_spec_reads_back_from_its_text(family: str, arguments: dict[str, object]) -> None:
    spec = Spec(family, arguments)
    assert parse_spec(str(spec)) == spec


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is not a spec"),
        ("=3", "is not a spec"),
        ("fat tree:hosts=4", "is not a spec"),
        ("torus:dims", None),
        ("torus:dims=", "is not key=value"),
        ("torus:,", "is not key=value"),
        ("torus:=4", "is not key=value"),
        ("torus:k=1,k=2", "stands twice"),
        ("torus:k=(a:b=1", "brackets do not match"),
        ("torus:k=a)", "brackets do not match"),
    ],
)
def test_the_grammar(text: str, complaint: str | None) -> None:
    if complaint is None:
        assert parse_spec(text).arguments == {"dims": True}
        return
    with pytest.raises(BadInput, match=complaint):
        parse_spec(text)


def test_nested_specs_keep_their_commas() -> None:
    spec = parse_spec("nvlink-islands:size=8,scale_out=(fat-tree:hosts=64,radix=16),x=1")
    assert spec.arguments == {"size": "8", "scale_out": "(fat-tree:hosts=64,radix=16)", "x": "1"}


def test_check_names_every_wrong_field_at_once() -> None:
    with pytest.raises(BadInput) as caught:
        check(Shape, {"grids": "4x4", "planes": 0, "size": "2 parsecs"}, "here")
    told = "\n".join(caught.value.messages)
    assert len(caught.value.messages) == 4
    assert "key 'grid' is missing" in told
    assert "unknown key 'grids'; did you mean 'grid'?" in told
    assert "planes=0" in told
    assert "'2 parsecs' is not a size" in told


def test_check_reads_the_grammar_and_plain_values() -> None:
    text = check(Shape, {"grid": "4x8", "size": "1KiB", "delay": "2ns", "planes": "3"}, "text")
    assert text == check(Shape, {"grid": [4, 8], "size": 1024, "delay": 2000, "planes": 3}, "yaml")
    for wrong in ("4x", "0x4", [4, -1], [1.5]):
        with pytest.raises(BadInput, match="grid"):
            check(Shape, {"grid": wrong}, "text")


def test_files(tmp_path: Path) -> None:
    for name, text in (
        ("a.yaml", "family: torus\ndims: 4x4\n"),
        ("a.json", '{"family": "torus", "dims": "4x4"}'),
        ("a.toml", 'family = "torus"\ndims = "4x4"\n'),
    ):
        (tmp_path / name).write_text(text)
        assert is_file(name)
        assert read_spec(tmp_path / name) == Spec("torus", {"dims": "4x4"})
    assert not is_file("torus:dims=4x4")


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("none.yaml", None, "cannot be read"),
        ("broken.yaml", b"a: [1", "broken.yaml: "),
        ("broken.json", b"{", "broken.json: "),
        ("broken.toml", b"a = ", "broken.toml: "),
        ("list.yaml", b"- 1\n", "must be a mapping"),
        ("binary.yaml", b"\xff\xfe\x00", "is not a text file"),
        ("empty.yaml", b"", "must be a mapping"),
    ],
)
def test_unreadable_files_are_one_sentence(tmp_path: Path, name: str, content: bytes | None, complaint: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=complaint) as caught:
        read_mapping(tmp_path / name)
    assert len(caught.value.messages) == 1
    assert "\n" not in caught.value.messages[0]


def test_a_file_without_family_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("dims: 4x4\n")
    with pytest.raises(BadInput, match="'family' is missing"):
        read_spec(tmp_path / "a.yaml")
