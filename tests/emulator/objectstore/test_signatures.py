"""The signatures against the vendors' published examples."""

from __future__ import annotations

from cupixgeo.emulator.objectstore import oss, sigv4
from cupixgeo.emulator.wire import Request

AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
AWS_SCOPE = "20130524/us-east-1/s3/aws4_request"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def aws(method, path, *, pairs=(), **headers):
    lower = {name.replace("_", "-"): value for name, value in headers.items()}
    common = {"host": "examplebucket.s3.amazonaws.com", "x-amz-date": "20130524T000000Z"}
    request = Request(method, path, headers={**common, **lower}, pairs=pairs)
    signed = sorted(request.headers)
    return sigv4.signature(request, signed, scope=AWS_SCOPE, secret=AWS_SECRET)


def test_the_example_get_of_the_s3_reference_has_its_signature():
    got = aws("GET", "/test.txt", range="bytes=0-9", x_amz_content_sha256=EMPTY)
    assert got == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"


def test_the_example_put_of_the_s3_reference_has_its_signature():
    got = aws(
        "PUT",
        "/test$file.text",
        date="Fri, 24 May 2013 00:00:00 GMT",
        x_amz_storage_class="REDUCED_REDUNDANCY",
        x_amz_content_sha256="44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
    )
    assert got == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"


def test_the_example_query_of_the_s3_reference_has_its_signature():
    got = aws("GET", "/", pairs=(("lifecycle", ""),), x_amz_content_sha256=EMPTY)
    assert got == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"


def test_the_example_of_the_oss_reference_has_its_v1_signature():
    request = Request(
        "PUT",
        "/oss-example/nelson",
        headers={
            "content-md5": "ODBGOERFMDMzQTczRUY3NUE3NzA5QzdFNUYzMDQxNEM=",
            "content-type": "text/html",
            "date": "Thu, 17 Nov 2005 18:49:58 GMT",
            "x-oss-meta-author": "foo@bar.com",
            "x-oss-magic": "abracadabra",
        },
    )
    secret = "OtxrzxIsfpFjA7SwPzILwy8Bw21TLhquhboDYROV"
    assert oss.signature_v1(request, secret=secret) == "26NBxoKdsyly4EDv6inkoDft/yA="
