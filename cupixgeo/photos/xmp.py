"""DJI's fields of an XMP packet, read without trusting the packet.

Knows DJI's namespace, and that a photo is outside input: a packet that declares a document type
or entities is refused before anything of it is expanded. Must not know what a field means.

Source: DJI's namespace ``http://www.dji.com/drone-dji/1.0/``; values are attributes of
``rdf:Description`` in most firmware, child elements in some. Adobe, *XMP Specification Part 1*.
"""

from __future__ import annotations

import re
from xml.parsers import expat

from cupixgeo.errors import PhotoError

DJI_NAMESPACE = "http://www.dji.com/drone-dji/1.0/"

MAX_BYTES = 1 << 20
"""Longest packet that is read [byte]: DJI's take a few thousand."""

KEPT_PRIVATE = frozenset({"NTRIPHost", "NTRIPPort", "NTRIPMountPoint"})
"""Fields that tell about the operator's correction service; they never leave the photo."""

_VALUE_CHARS = 512
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_ATTRIBUTE = re.compile(rb"""drone-dji:(\w{1,64})\s{0,8}=\s{0,8}["']([^"'<>]{0,512})["']""")
_ELEMENT = re.compile(rb"<drone-dji:(\w{1,64})>([^<>]{0,512})</drone-dji:")


def dji_fields(packet: bytes) -> dict[str, str]:
    """Read the DJI fields of an XMP packet.

    Parameters
    ----------
    packet : bytes
        The packet as it stands in the file.

    Returns
    -------
    dict of str to str
        By local name, for example ``{"RelativeAltitude": "+39.80"}``; of a field given twice the
        first. A packet that is not well-formed XML is searched for the usual prefix instead.

    Raises
    ------
    PhotoError
        The packet declares a document type or entities, or is larger than `MAX_BYTES`.
    """
    if len(packet) > MAX_BYTES:
        raise PhotoError(f"the XMP packet of {len(packet):,} bytes is too long to be one")
    reader = _Reader()
    try:
        fields = reader.read(packet if packet[:2] in _UTF_16 else packet.rstrip(b"\0"))
    except expat.ExpatError:
        fields = _by_prefix(packet)
    return {name: text for name, text in fields.items() if name not in KEPT_PRIVATE}


class _Reader:
    """Collects DJI fields while expat walks through a packet."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self._name = ""
        self._text: list[str] = []

    def read(self, packet: bytes) -> dict[str, str]:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse
        parser.EntityDeclHandler = _refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.Parse(packet, True)
        return self.fields

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._name, self._text = _local(tag), []
        for key, value in attributes.items():
            self._keep(_local(key), value)

    def _end(self, tag: str) -> None:
        if self._name == _local(tag):
            self._keep(self._name, "".join(self._text))
        self._name = ""

    def _characters(self, text: str) -> None:
        if self._name:
            self._text.append(text)

    def _keep(self, name: str, value: str) -> None:
        value = value.strip()
        if name and value and len(value) <= _VALUE_CHARS:
            self.fields.setdefault(name, value)


def _local(qualified: str) -> str:
    """Return the name of a DJI field; empty for all others."""
    namespace, _, name = qualified.rpartition(" ")
    return name if namespace == DJI_NAMESPACE else ""


def _refuse(*_: object) -> None:
    raise PhotoError("the XMP packet declares a document type or entities, which XMP never does")


def _by_prefix(packet: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in (*_ATTRIBUTE.findall(packet), *_ELEMENT.findall(packet)):
        text = value.decode("utf-8", "replace").strip()
        if text:
            found.setdefault(name.decode("utf-8", "replace"), text)
    return found
