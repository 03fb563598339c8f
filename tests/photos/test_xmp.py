"""DJI's XMP: every way it is written, and packets that were made to do harm."""

import time

import pytest

from cupixgeo.errors import PhotoError
from cupixgeo.photos.xmp import MAX_BYTES, dji_fields
from tests.photos.pictures import DJI, packet

HEAD = (
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/" xmlns:d="{DJI}" '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:RDF><rdf:Description '
)
TAIL = "</rdf:Description></rdf:RDF></x:xmpmeta>"


def test_attributes_and_elements_say_the_same():
    as_attributes = packet({"RelativeAltitude": "+39.80", "RtkFlag": "50"})
    as_elements = (
        f"{HEAD}><d:RelativeAltitude>+39.80</d:RelativeAltitude><d:RtkFlag> 50\n</d:RtkFlag>{TAIL}"
    ).encode()
    expected = {"RelativeAltitude": "+39.80", "RtkFlag": "50"}
    assert dji_fields(as_attributes) == dji_fields(as_elements) == expected


def test_the_namespace_counts_not_the_prefix():
    assert dji_fields(packet({"RtkFlag": "50"}, prefix="dd")) == {"RtkFlag": "50"}
    other = packet({"RtkFlag": "50"}).replace(DJI.encode(), b"http://example.org/")
    assert dji_fields(other) == {}


def test_utf_16_is_read():
    text = packet({"GpsStatus": "RTK"}).decode().replace("\ufeff", "")
    assert dji_fields(text.encode("utf-16")) == {"GpsStatus": "RTK"}


@pytest.mark.parametrize(
    "broken",
    [
        b'<x:xmpmeta><a drone-dji:RtkFlag="50" <<',
        b"<drone-dji:RtkFlag>50</drone-dji:RtkFlag> and then & nothing",
        packet({"RtkFlag": "50"})[:-40],
        packet({"RtkFlag": "50"}).replace(b"<?xpacket end", b"<x:open><?xpacket end"),
    ],
)
def test_a_packet_that_is_not_well_formed_is_searched_for_the_prefix(broken):
    assert dji_fields(broken) == {"RtkFlag": "50"}


def test_padding_with_zero_bytes_does_no_harm():
    assert dji_fields(packet({"RtkFlag": "50"}) + b"\0" * 500) == {"RtkFlag": "50"}


def test_who_corrects_the_position_is_not_kept():
    fields = {"NTRIPHost": "10.0.0.7", "NTRIPPort": "8003", "NTRIPMountPoint": "X", "RtkFlag": "50"}
    assert dji_fields(packet(fields)) == {"RtkFlag": "50"}
    assert dji_fields(packet(fields)[:-40]) == {"RtkFlag": "50"}


def entity_bomb():
    lines = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
    return (
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{lines}]>'
        f"{HEAD}><d:RtkFlag>&l11;</d:RtkFlag>{TAIL}"
    ).encode()


HOSTILE = {
    "entity bomb": entity_bomb(),
    "long entity": (
        f'<!DOCTYPE x [<!ENTITY a "{"a" * 100_000}">]>{HEAD}><d:A>{"&a;" * 50_000}</d:A>{TAIL}'
    ).encode(),
    "file": (
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
        f"{HEAD}><d:RtkFlag>&e;</d:RtkFlag>{TAIL}"
    ).encode(),
    "outer document type": (
        f'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">{HEAD} d:RtkFlag="50">{TAIL}'
    ).encode(),
    "too long": b"<a>" + b" " * MAX_BYTES + b"</a>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_packets_are_refused_at_once(name):
    started = time.perf_counter()
    with pytest.raises(PhotoError, match="the XMP packet"):
        dji_fields(HOSTILE[name])
    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize(
    "packet_bytes",
    [
        b"<a>" * 300_000,
        b'<a drone-dji:X="' * 50_000,
        (f"{HEAD}>" + "<d:A>" * 100_000 + "</d:A>" * 100_000 + TAIL).encode()[: MAX_BYTES - 1],
        b"<drone-dji:A>" + b" " * 900_000,
    ],
)
def test_odd_packets_take_no_time(packet_bytes):
    started = time.perf_counter()
    assert dji_fields(packet_bytes) == {}
    assert time.perf_counter() - started < 1.0
