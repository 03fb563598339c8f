import hashlib
import hmac

import pytest

from cupixgeo.emulator.teleport.captures import Capture
from cupixgeo.emulator.teleport.webhooks import message_about
from cupixgeo.errors import AuthenticationError, ResponseError
from cupixgeo.services.teleport.webhooks import HEADER, CaptureEnded, read_webhook

SECRET = "planted-signing-secret"


@pytest.fixture
def message():
    """What the emulated service sends about a capture that has failed."""
    capture = Capture(
        eid="abc", sid="0" * 32, segment="", organisation="", name="", size=1, chunk_size=1,
        form="video", created=0.0, outcome="NOT_ENOUGH_FRAMES",
    )  # fmt: skip
    return message_about(capture, "ERROR", SECRET)


def test_a_signed_message_is_read(message):
    told = CaptureEnded("abc", "0" * 32, "ERROR", "NOT_ENOUGH_FRAMES")
    signature = message.headers[HEADER]
    for form in (signature, f"sha256={signature}", signature.upper()):
        assert read_webhook(message.body, form, SECRET) == told


@pytest.mark.parametrize("spoil", [lambda b, s: (b + b" ", s), lambda b, s: (b, s[:-1] + "x")])
def test_a_message_that_was_changed_is_refused_without_the_secret(message, spoil):
    body, signature = spoil(message.body, message.headers[HEADER])
    with pytest.raises(AuthenticationError, match="throw it away") as caught:
        read_webhook(body, signature, SECRET)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("body", [b"[]", b"no JSON", b'{"eid": "abc"}'])
def test_a_signed_message_of_another_shape_is_not_understood(body):
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    with pytest.raises(ResponseError, match="no capture"):
        read_webhook(body, signature, SECRET)
