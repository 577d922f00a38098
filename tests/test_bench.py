"""The README's figures are written by the run, and by nothing else."""

from __future__ import annotations

import pytest

from tests.bench import parts, readme
from tests.bench.measure import Cost, Pair, Part

PAIR = Pair("landing, kept", Cost(0.5, 1.0), "a bare view", Cost(0.25, 0.5))


def test_writing_replaces_the_block_and_nothing_else(tmp_path):
    file = tmp_path / "README.md"
    file.write_text(f"# Site\n\n{readme.BEGIN}\n\nold\n\n{readme.END}\n\nAfter.\n")

    readme.write("new", file)
    readme.write("newer", file)

    assert file.read_text() == f"# Site\n\n{readme.BEGIN}\n\nnewer\n\n{readme.END}\n\nAfter.\n"


def test_the_readme_has_a_place_for_them():
    assert "\n\nx\n\n" in readme.replaced(readme.README.read_text(), "x")


def test_a_text_without_marks_is_left_alone():
    with pytest.raises(readme.NoMarks):
        readme.replaced("# Site\n", "new")


def test_every_path_stands_beside_its_limit():
    block = readme.figures({"kept": Part("| a table |", [PAIR])}, "two cores")

    assert "Measured with `make bench` on two cores." in block
    assert "| landing, kept | 0.50 | 1.00 | a bare view | 0.25 | 0.50 | 2.00 | 2.00 |" in block
    assert block.endswith("| a table |")


def test_what_can_be_measured_at_length_is_what_can_be_measured():
    assert list(parts.LONG_PARTS) == list(parts.PARTS)
    assert all(callable(part) for part in parts.LONG_PARTS.values())
