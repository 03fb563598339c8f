import io

import pytest
from requests_toolbelt import MultipartDecoder

from cupixgeo.errors import TransferError
from cupixgeo.net.body import Body
from cupixgeo.net.multipart import FormFile, MultipartForm
from cupixgeo.net.secret import Secret


def decoded(form):
    """Let another library read the form: name, file name and content of each part."""
    parts = MultipartDecoder(form.encoded(), form.headers["Content-Type"]).parts
    return [(part.headers[b"Content-Disposition"].decode(), part.content) for part in parts]


def test_another_library_reads_what_was_written():
    photo = bytes(range(256)) * 5000
    files = (FormFile("images", "P 1.jpg", Body.from_bytes(photo), "image/jpeg"),)
    form = MultipartForm({"name": "Pier 4", "options": "[]"}, files=files)
    assert decoded(form) == [
        ('form-data; name="name"', b"Pier 4"),
        ('form-data; name="options"', b"[]"),
        ('form-data; name="images"; filename="P 1.jpg"', photo),
    ]


def test_the_length_is_known_before_and_the_body_can_be_read_again(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x" * 100_000)
    body = MultipartForm({}, files=(FormFile("images", "a.jpg", Body.from_file(path)),)).body()
    first, second = b"".join(body.chunks()), b"".join(body.chunks(777))
    assert first == second
    assert body.size == len(first)
    assert body.name == "a.jpg"


def test_a_file_is_opened_when_it_is_its_turn_and_closed_after():
    opened = []

    class Watched(io.BytesIO):
        def close(self):
            opened.append("closed")
            super().close()

    def open_it():
        opened.append("opened")
        return Watched(b"abc")

    files = tuple(FormFile("images", name, Body(3, open_it)) for name in ("a", "b"))
    body = MultipartForm({}, files=files).body()
    assert opened == []
    b"".join(body.chunks())
    assert opened == ["opened", "closed"] * 2


def test_names_cannot_break_out_of_their_quotes():
    form = MultipartForm({}, files=(FormFile("a", 'x"\r\nEvil: 1.jpg', Body.from_bytes(b"")),))
    ((disposition, _),) = decoded(form)
    assert disposition == 'form-data; name="a"; filename="x%22%0D%0AEvil: 1.jpg"'


def test_a_secret_field_is_revealed_only_as_it_is_sent():
    form = MultipartForm({"password": Secret("planted-password")})
    body = form.body()
    assert "planted-password" not in repr(form) + repr(body)
    assert b"planted-password" in b"".join(body.chunks())


def test_further_headers_go_along():
    form = MultipartForm({}, further={"set-uuid": "u"}, boundary="b")
    assert form.headers == {"Content-Type": "multipart/form-data; boundary=b", "set-uuid": "u"}


def test_what_fails_while_a_file_is_read_is_not_hidden():
    def broken():
        raise TransferError("gone")

    body = MultipartForm({}, files=(FormFile("a", "a", Body(3, broken)),)).body()
    with pytest.raises(TransferError, match="gone"):
        list(body.chunks())
