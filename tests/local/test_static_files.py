"""Static files are collected again when they changed, and only then."""

from __future__ import annotations

import pytest

from coaching_site.local import static_files


@pytest.fixture
def root(tmp_path, monkeypatch):
    for name in ("static/css/base.css", *static_files.PACKED_BY):
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    monkeypatch.setattr(static_files, "ROOT", tmp_path / "root")
    # Stands for the command: leaves a line each time it runs.
    monkeypatch.setattr(static_files, "COLLECT", ["sh", "-c", "echo run >> runs.txt"])
    (tmp_path / "collected").mkdir()
    return tmp_path / "root"


def times_collected(root, tmp_path) -> int:
    assert static_files.collect({}, tmp_path / "collected") == 0
    return len((root / "runs.txt").read_text().splitlines())


def test_what_did_not_change_is_collected_once(root, tmp_path):
    assert times_collected(root, tmp_path) == 1
    assert times_collected(root, tmp_path) == 1


@pytest.mark.parametrize(
    "name", ["static/css/base.css", "static/css/new.css", "requirements/run.txt"]
)
def test_a_change_is_collected(root, tmp_path, name):
    times_collected(root, tmp_path)

    (root / name).write_text("changed")

    assert times_collected(root, tmp_path) == 2


def test_a_failure_is_told_and_tried_again(root, tmp_path, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(static_files, "COLLECT", ["false"])
        assert static_files.collect({}, tmp_path / "collected") == 1

    assert times_collected(root, tmp_path) == 1
