"""What the bucket takes and refuses, asked by boto's and Alibaba's own clients."""

from __future__ import annotations

import base64
import hashlib
import zlib

import httpx
import oss2
import pytest
from botocore.exceptions import ClientError

from cupixgeo.emulator import faults
from cupixgeo.emulator.objectstore.bucket import SMALLEST_PART
from tests.emulator.objectstore.conftest import NAME

AWKWARD = "photos/Ünter +x~ (1)&=%.jpg"


def refused(call):
    with pytest.raises(ClientError) as caught:
        call()
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def oss_refused(call):
    with pytest.raises(oss2.exceptions.OssError) as caught:
        call()
    return caught.value.status, caught.value.code


def md5(data):
    return hashlib.md5(data).hexdigest()


# -- S3 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["when_required", "when_supported"])
def test_s3_stores_an_object_under_any_name(bucket, key, s3, mode):
    answer = s3(key, request_checksum_calculation=mode).put_object(
        Bucket=NAME, Key=AWKWARD, Body=b"hello"
    )
    assert answer["ETag"] == f'"{md5(b"hello")}"'
    assert bucket.objects[AWKWARD].content == b"hello"


def test_s3_joins_parts_and_names_the_object_after_them(bucket, key, s3):
    client = s3(key)
    upload = client.create_multipart_upload(Bucket=NAME, Key="photos/big")["UploadId"]
    pieces = [b"a" * SMALLEST_PART["s3"], b"b" * SMALLEST_PART["s3"], b"tail"]
    parts = [
        {
            "PartNumber": number,
            "ETag": client.upload_part(
                Bucket=NAME, Key="photos/big", UploadId=upload, PartNumber=number, Body=piece
            )["ETag"],
        }
        for number, piece in enumerate(pieces, 1)
    ]
    answer = client.complete_multipart_upload(
        Bucket=NAME, Key="photos/big", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    digests = b"".join(hashlib.md5(piece).digest() for piece in pieces)
    assert answer["ETag"] == f'"{md5(digests)}-3"'
    assert bucket.objects["photos/big"].content == b"".join(pieces)
    assert not bucket.uploads


def test_s3_refuses_parts_that_are_wrong_missing_unordered_or_too_small(key, s3):
    client = s3(key)
    where = {"Bucket": NAME, "Key": "photos/big"}
    upload = client.create_multipart_upload(**where)["UploadId"]
    etags = [
        client.upload_part(**where, UploadId=upload, PartNumber=n, Body=b"x" * n)["ETag"]
        for n in (1, 2)
    ]

    def complete(*parts, serial=upload):
        listed = [{"PartNumber": n, "ETag": e} for n, e in parts]
        return refused(
            lambda: client.complete_multipart_upload(
                **where, UploadId=serial, MultipartUpload={"Parts": listed}
            )
        )

    assert complete((1, etags[1])) == (400, "InvalidPart")
    assert complete((1, etags[0]), (3, etags[1])) == (400, "InvalidPart")
    assert complete((2, etags[1]), (1, etags[0])) == (400, "InvalidPartOrder")
    assert complete((1, etags[0]), (2, etags[1])) == (400, "EntityTooSmall")
    assert complete((1, etags[0]), serial="EMUUPLOAD999999") == (404, "NoSuchUpload")
    too_far = {"UploadId": upload, "PartNumber": 10_001, "Body": b""}
    assert refused(lambda: client.upload_part(**where, **too_far)) == (400, "InvalidArgument")
    client.abort_multipart_upload(**where, UploadId=upload)
    assert complete((1, etags[0])) == (404, "NoSuchUpload")


def test_a_key_for_uploads_only_writes_and_only_below_its_prefix(bucket, key, s3):
    client = s3(key)
    client.put_object(Bucket=NAME, Key="photos/a", Body=b"1")
    denied = (403, "AccessDenied")
    assert refused(lambda: client.put_object(Bucket=NAME, Key="else/a", Body=b"1")) == denied
    assert refused(lambda: client.get_object(Bucket=NAME, Key="photos/a")) == denied
    assert refused(lambda: client.delete_object(Bucket=NAME, Key="photos/a")) == denied
    assert refused(lambda: client.list_objects_v2(Bucket=NAME)) == denied
    reader = bucket.keys.issue(lifetime_s=9, prefix="photos/", actions=frozenset({"GetObject"}))
    got = s3(reader).get_object(Bucket=NAME, Key="photos/a", Range="bytes=0-0")
    assert got["Body"].read() == b"1"
    missing = refused(lambda: s3(reader).get_object(Bucket=NAME, Key="photos/b"))
    assert missing == (404, "NoSuchKey")


@pytest.mark.parametrize(
    ("forged", "expected"),
    [
        ({"secret": "another"}, (403, "SignatureDoesNotMatch")),
        ({"session": "another"}, (400, "InvalidToken")),
        ({"session": None}, (400, "InvalidToken")),
        ({"region": "us-east-1"}, (400, "AuthorizationHeaderMalformed")),
    ],
)
def test_s3_refuses_what_was_not_signed_with_the_issued_key(key, s3, forged, expected):
    client = s3(key, **forged)
    assert refused(lambda: client.put_object(Bucket=NAME, Key="photos/a", Body=b"")) == expected


def test_s3_refuses_a_key_nobody_issued(key, s3):
    from dataclasses import replace

    client = s3(replace(key, access_key_id="EMUAKNOBODY"))
    got = refused(lambda: client.put_object(Bucket=NAME, Key="photos/a", Body=b""))
    assert got == (403, "InvalidAccessKeyId")


def test_s3_refuses_a_key_from_the_second_it_expires(emu, bucket, s3):
    key = bucket.keys.issue(lifetime_s=60)
    client = s3(key)
    emu.clock.advance(59)
    client.put_object(Bucket=NAME, Key="a", Body=b"")
    emu.clock.advance(1)
    expired = refused(lambda: client.put_object(Bucket=NAME, Key="a", Body=b""))
    assert expired == (400, "ExpiredToken")


def test_the_fault_expired_signature_ends_one_key_and_no_other(emu, bucket, key, s3):
    emu.faults.add(faults.expired_signature(), service="storage")
    client = s3(key)
    for _ in range(2):
        expired = refused(lambda: client.put_object(Bucket=NAME, Key="photos/a", Body=b""))
        assert expired == (400, "ExpiredToken")
    s3(bucket.keys.issue(lifetime_s=60)).put_object(Bucket=NAME, Key="photos/a", Body=b"")


def test_a_signature_from_another_time_is_refused_where_that_is_checked(bucket, key, s3):
    bucket.max_skew_s = 900.0  # the emulator's clock is not the computer's
    got = refused(lambda: s3(key).put_object(Bucket=NAME, Key="photos/a", Body=b""))
    assert got == (403, "RequestTimeTooSkewed")


def signed_put(emu, key, body, **headers):
    """Send a body with other headers than the ones that are signed by a library."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    lower = {name.replace("_", "-"): value for name, value in headers.items()}
    request = AWSRequest("PUT", f"{emu.storage_url}/{NAME}/photos/a", headers=lower, data=b"signed")
    triple = Credentials(key.access_key_id, key.secret_access_key, key.session_token)
    S3SigV4Auth(triple, "s3", "eu-central-1").add_auth(request)
    with httpx.Client(verify=False, trust_env=False) as client:
        return client.put(request.url, headers=dict(request.headers), content=body)


def test_s3_refuses_other_bytes_than_the_signed_ones(emu, bucket, key):
    assert signed_put(emu, key, b"signed").status_code == 200
    answer = signed_put(emu, key, b"forged")
    assert (answer.status_code, b"XAmzContentSHA256Mismatch" in answer.content) == (400, True)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("content_md5", base64.b64encode(bytes(16)).decode(), b"BadDigest"),
        ("content_md5", "no digest", b"InvalidDigest"),
        ("x_amz_checksum_crc32", base64.b64encode(bytes(4)).decode(), b"BadDigest"),
        ("x_amz_checksum_sha256", base64.b64encode(bytes(32)).decode(), b"BadDigest"),
    ],
)
def test_s3_refuses_bytes_that_do_not_have_their_digest(emu, bucket, key, name, value, code):
    answer = signed_put(emu, key, b"signed", **{name: value})
    assert (answer.status_code, code in answer.content) == (400, True)
    right = base64.b64encode(zlib.crc32(b"signed").to_bytes(4, "big")).decode()
    assert signed_put(emu, key, b"signed", x_amz_checksum_crc32=right).status_code == 200


def test_a_body_in_chunks_with_a_trailer_is_unwrapped(emu, bucket, key):
    crc = base64.b64encode(zlib.crc32(b"hello").to_bytes(4, "big"))
    wrapped = b"3\r\nhel\r\n2\r\nlo\r\n0\r\nx-amz-checksum-crc32:" + crc + b"\r\n\r\n"
    headers = {
        "x_amz_content_sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x_amz_decoded_content_length": "5",
        "content_encoding": "aws-chunked",
    }
    from cupixgeo.emulator.objectstore.body import payload
    from cupixgeo.emulator.objectstore.keys import StoreRefusalError
    from cupixgeo.emulator.wire import Request

    lower = {name.replace("_", "-"): value for name, value in headers.items()}
    assert payload(Request("PUT", "/", headers=lower, body=wrapped)) == b"hello"
    for broken in (wrapped[:8], wrapped.replace(b"hel", b"HEL"), b"nothing like it"):
        with pytest.raises(StoreRefusalError):
            payload(Request("PUT", "/", headers=lower, body=broken))
    signed = {**lower, "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}
    with pytest.raises(StoreRefusalError, match="501"):
        payload(Request("PUT", "/", headers=signed, body=wrapped))


def test_a_service_s_token_is_refused(emu, key):
    answer = signed_put(emu, key, b"signed", x_user_token="a-token")
    assert answer.status_code == 400
    assert len(emu.journal.where(origin="storage", carried_token=True)) == 1


def test_an_unsigned_request_is_refused(emu, bucket):
    with httpx.Client(verify=False, trust_env=False) as client:
        answer = client.put(f"{emu.storage_url}/{NAME}/photos/a", content=b"")
    assert answer.status_code == 400


def test_the_same_bytes_are_kept_once(bucket, key, s3):
    client = s3(key)
    for number in range(3):
        client.put_object(Bucket=NAME, Key=f"photos/{number}", Body=b"x" * 1000)
    assert len({id(held.content) for held in bucket.objects.values()}) == 1
    bucket.discard("photos/")
    assert not bucket.objects


# -- OSS -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_oss_stores_objects_whole_and_in_parts(bucket, oss, version):
    client = oss(bucket.keys.issue(lifetime_s=60, prefix="photos/"), version)
    assert client.put_object(AWKWARD, b"hello").etag == md5(b"hello").upper()
    assert bucket.objects[AWKWARD].content == b"hello"
    upload = client.init_multipart_upload("photos/big").upload_id
    pieces = [b"a" * SMALLEST_PART["oss"], b"tail"]
    parts = [
        oss2.models.PartInfo(n, client.upload_part("photos/big", upload, n, piece).etag)
        for n, piece in enumerate(pieces, 1)
    ]
    done = client.complete_multipart_upload("photos/big", upload, parts)
    done.resp.read()  # the library leaves the document unread, and its connection open
    joined = b"".join(hashlib.md5(piece).digest() for piece in pieces)
    assert done.etag == f"{md5(joined).upper()}-2"
    assert bucket.objects["photos/big"].content == b"".join(pieces)
    assert oss_refused(lambda: client.abort_multipart_upload("photos/big", upload)) == (
        404,
        "NoSuchUpload",
    )


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_oss_refuses_what_the_key_does_not_open(emu, bucket, oss, version):
    key = bucket.keys.issue(lifetime_s=60, prefix="photos/")
    mine = oss(key, version)
    mine.put_object("photos/a", b"")
    assert oss_refused(lambda: mine.put_object("else/a", b"")) == (403, "AccessDenied")
    assert oss_refused(lambda: mine.get_object("photos/a")) == (403, "AccessDenied")
    for forged, code in (
        ({"secret": "another"}, "SignatureDoesNotMatch"),
        ({"session": "another"}, "InvalidSecurityToken"),
    ):
        other = oss(key, version, **forged)
        assert oss_refused(lambda o=other: o.put_object("photos/a", b"")) == (403, code)
    wrong = {"Content-MD5": base64.b64encode(bytes(16)).decode()}
    assert oss_refused(lambda: mine.put_object("photos/a", b"x", headers=wrong))[0] == 400
    emu.clock.advance(60)
    assert oss_refused(lambda: mine.put_object("photos/a", b"")) == (403, "SecurityTokenExpired")


def test_oss_refuses_a_signature_for_another_region(bucket, oss):
    key = bucket.keys.issue(lifetime_s=60)
    client = oss(key, "v4", region="cn-shanghai")
    assert oss_refused(lambda: client.put_object("a", b""))[0] == 400
