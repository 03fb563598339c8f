import hashlib

import pytest

from cupixgeo.errors import ArgumentError
from cupixgeo.net.secret import Secret
from cupixgeo.services.openscan.wire import (
    ProjectInfo,
    as_name,
    content_hash,
    direct_link,
    read_error,
)

OWN = "http://scan.example:1334"
SHARE = "https://www.dropbox.com/scl/fi/abc/a.zip?rlkey=key&dl=0"
WANTED = "https://www.dropbox.com/scl/fi/abc/a.zip?rlkey=key&dl=1"


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("created", "uploading"), ("initialized", "queued"), ("started", "queued"),
        ("file approved", "queued"), ("File approved", "queued"), ("approved", "queued"),
        ("processing started", "running"), ("processing done", "done"),
        ("processing failed", "failed"), ("Processing failed", "failed"), ("expired", "failed"),
        ("polishing", "unknown"), ("", "unknown"),
    ],
)  # fmt: skip
def test_words_are_understood_in_any_case(word, state):
    assert ProjectInfo("a.zip", word, None, ()).state == state


@pytest.mark.parametrize("word", ["finished", "Done", "complete", "completed", "ready"])
def test_words_without_evidence_count_only_with_a_result(word):
    assert ProjectInfo("a.zip", word, None, ()).state == "unknown"
    assert ProjectInfo("a.zip", word, Secret(SHARE), ()).state == "done"


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (SHARE, WANTED),
        (WANTED, WANTED),
        ("https://www.dropbox.com/s/abc/a.zip", "https://www.dropbox.com/s/abc/a.zip?dl=1"),
        ("https://openscan.eu/pages/result?x=1&id=https%3A%2F%2Fwww.dropbox.com%2Fscl%2Ffi%2Fabc"
         "%2Fa.zip%3Frlkey%3Dkey%26dl%3D0", WANTED),
        (f"{OWN}/result?id=https%3A%2F%2Fwww.dropbox.com%2Fscl%2Ffi%2Fabc%2Fa.zip%3Frlkey%3Dkey"
         "%26dl%3D0", WANTED),
        ("https://files.example/a.zip?id=5", "https://files.example/a.zip?id=5"),
        ("https://openscan.eu/a.zip?id=5", "https://openscan.eu/a.zip?id=5"),
        ("https://files.example/a.zip?id=https%3A%2F%2Fx.example",
         "https://files.example/a.zip?id=https%3A%2F%2Fx.example"),
    ],
)  # fmt: skip
def test_each_shape_of_link_leads_to_the_file(link, expected):
    assert direct_link(Secret(link), OWN).reveal() == expected


@pytest.mark.parametrize("size", [0, 1, 4194303, 4194304, 4194305, 10_000_000])
@pytest.mark.parametrize("piece", [65_536, 5_000_000])
def test_the_content_hash_is_dropbox_s_whatever_the_pieces(size, piece):
    content = bytes(range(256)) * (size // 256 + 1)
    content = content[:size]
    blocks = [content[n : n + 4 * 2**20] for n in range(0, size, 4 * 2**20)]
    expected = hashlib.sha256(b"".join(hashlib.sha256(block).digest() for block in blocks))
    pieces = [content[n : n + piece] for n in range(0, size, piece)]
    assert content_hash(pieces) == expected.hexdigest()


@pytest.mark.parametrize("name", ["a-OSC.zip", "cx-0a1b2c3d4e.zip", "A_1.zip"])
def test_names_are_those_the_service_takes(name):
    assert as_name(name) == name


@pytest.mark.parametrize("name", ["a", "a.ZIP", "a b.zip", "../a.zip", "ä.zip", None, "a.zip&x=1"])
def test_other_names_never_reach_the_service(name):
    with pytest.raises(ArgumentError, match="letters, digits"):
        as_name(name)


def test_only_wrong_credentials_have_an_error():
    assert read_error({"error": "Unauthorized access"}) == ("credentials", "Unauthorized access")
    assert read_error({}) == read_error(None) == read_error("<html>") == (None, None)
