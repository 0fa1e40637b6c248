from __future__ import annotations

from uet.base.errors import BadInput, CheckFailed, Interrupted, NoAnswer, UetError, Unavailable, nearest


def test_exit_codes() -> None:
    codes = {e: e.exit_code for e in (UetError, BadInput, NoAnswer, CheckFailed, Unavailable, Interrupted)}
    assert list(codes.values()) == [1, 2, 3, 4, 5, 130]


def test_each_problem_is_a_message_of_its_own() -> None:
    error = BadInput("first", "second")
    assert error.messages == ("first", "second")
    assert str(error) == "first\nsecond"


def test_the_nearest_word_is_offered() -> None:
    assert nearest("fattree", ["fat-tree", "torus"]) == "did you mean 'fat-tree'? legal: fat-tree, torus"
    assert nearest("zzz", ["b", "a"]) == "legal: a, b"
