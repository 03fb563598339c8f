"""Choosing a folder on the kernel's machine: typed, completed, walked through."""

from __future__ import annotations

from pathlib import Path

import pytest

from cupixgeo.widgets.folder_picker import FolderPicker


@pytest.fixture
def tree(tmp_path):
    for name in ("flights/one/raw", "flights/two", "flights/.hidden"):
        (tmp_path / name).mkdir(parents=True)
    for number in range(3):
        (tmp_path / "flights" / "one" / f"P_{number}.JPG").touch()
    (tmp_path / "flights" / "one" / "notes.txt").touch()
    (tmp_path / "flights" / "film.mp4").touch()
    return tmp_path


def make(start, films=()):
    changes = []
    picker = FolderPicker(str(start), films=films, on_change=lambda: changes.append(1))
    picker.changes = changes
    return picker


def names(picker):
    return tuple(value for _, value in picker.list.options)


def walk(picker, name):
    picker.list.value = name
    picker.go.click()


def test_choosing_in_the_list_goes_nowhere_until_it_is_opened(tree):
    picker = make(tree)
    assert picker.go.disabled
    picker.list.value = "flights"  # what an arrow key does
    assert picker.path == tree
    picker.go.click()
    assert picker.path == tree / "flights"


def test_folders_and_photos_are_listed(tree):
    picker = make(tree / "flights" / "one")
    assert names(picker) == ("raw",)
    assert "3 photos" in picker.help
    assert picker.fault == ""


def test_walking_goes_down_and_up(tree):
    picker = make(tree)
    walk(picker, "flights")
    assert picker.path == tree / "flights"
    assert names(picker) == ("one", "two")
    walk(picker, "two")
    picker.up.click()
    assert picker.path == tree / "flights"
    assert len(picker.changes) == 3


def test_paths_are_completed(tree):
    picker = make(tree / "flights")
    assert list(picker.box.options) == [str(tree / "flights" / name) for name in ("one", "two")]


def test_the_kernels_own_folder_is_where_it_begins(tree, monkeypatch):
    monkeypatch.chdir(tree / "flights")
    picker = make("")
    assert picker.path == Path()
    picker.up.click()
    assert picker.path == tree
    assert names(picker) == ("flights",)


def test_a_relative_path_and_the_users_own_folder_are_resolved(tree, monkeypatch):
    monkeypatch.chdir(tree)
    assert make("flights/one").fault == ""
    monkeypatch.setenv("HOME", str(tree))
    assert make("~/flights").path == tree / "flights"


def test_a_path_that_is_not_there_is_said_with_the_nearest(tree):
    picker = make(tree / "flihgts" / "one")
    assert "There is no flihgts" in picker.fault
    assert f"Did you mean {tree / 'flights'}?" in picker.fault


def test_a_film_can_be_chosen_where_the_service_takes_films(tree):
    film = tree / "flights" / "film.mp4"
    assert "is a file" in make(film).fault
    picker = make(film, films={".mp4"})
    assert picker.fault == ""
    assert "film.mp4" in names(make(tree / "flights", films={".mp4"}))
