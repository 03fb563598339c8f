import httpx
import pytest

from cupixgeo.emulator.multipart import FormError, is_multipart, read_form


def encoded(data=None, files=None):
    """Let another client write the form."""
    request = httpx.Request("POST", "http://a", data=data, files=files)
    return request.headers["Content-Type"], request.read()


def test_fields_and_files_come_apart_as_another_client_wrote_them():
    photo = bytes(range(256)) * 40 + b"\r\n--not-the-boundary\r\n"
    files = [("images", ("P 1.jpg", photo, "image/jpeg")), ("images", ("b.txt", b"", "text/plain"))]
    form = read_form(*encoded({"name": "Pier 4", "options": '[{"name":"dsm"}]'}, files))
    assert form.fields == {"name": "Pier 4", "options": '[{"name":"dsm"}]'}
    assert [(f.field, f.name) for f in form.files] == [("images", "P 1.jpg"), ("images", "b.txt")]
    assert [f.content for f in form.files] == [photo, b""]


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ('filename="../../etc/passwd"', "passwd"),
        ('filename="C:\\\\photos\\\\a.jpg"', "a.jpg"),
        ('filename="a%22b.jpg"', 'a"b.jpg'),
        ("filename=\"_\"; filename*=UTF-8''K%C3%BCste.jpg", "Küste.jpg"),
        ('filename=""', ""),
    ],
)
def test_a_file_name_has_no_folders_however_it_is_written(sent, name):
    head = f'Content-Disposition: form-data; name="images"; {sent}'
    body = f"--b\r\n{head}\r\n\r\nx\r\n--b--\r\n".encode()
    assert read_form("multipart/form-data; boundary=b", body).files[0].name == name


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"--b--\r\n"),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data; name"),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--\r\n"),
    ],
)
def test_a_form_that_is_not_whole_is_refused(kind, body):
    with pytest.raises(FormError):
        read_form(kind, body)


def test_a_quoted_boundary_and_an_empty_form_are_fine():
    form = read_form('multipart/form-data; boundary="b 1"', b"--b 1--\r\n")
    assert (form.fields, form.files) == ({}, ())
    assert is_multipart("Multipart/Form-Data; boundary=x")
    assert not is_multipart("application/json")
