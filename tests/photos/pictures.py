"""Photos made for tests: pixels, EXIF and XMP as asked, written by Pillow."""

from pathlib import Path

import numpy as np
from PIL import Image

IMAGES = Path(__file__).parents[2] / "data" / "brighton_beach" / "images"
REAL = sorted(IMAGES.glob("*.JPG"))
PLACE = (46.8427, -91.9940, 198.0)
DJI = "http://www.dji.com/drone-dji/1.0/"
POSE = {
    "GimbalYawDegree": "+10.00",
    "GimbalPitchDegree": "-90.00",
    "GimbalRollDegree": "+0.00",
    "RelativeAltitude": "+60.00",
}


def texture(seed=0, size=(320, 240)):
    """Sharp detail of many sizes, no two seeds alike."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(60, 190, (12, 16), np.uint8)).resize(size)
    fine = rng.integers(-25, 25, (size[1], size[0]))
    return Image.fromarray((np.asarray(coarse, int) + fine).clip(0, 255).astype(np.uint8))


def rationals(value):
    """Degrees as EXIF writes them: whole degrees and minutes, seconds to 1e-6."""
    degrees, rest = divmod(abs(value), 1)
    minutes, rest = divmod(rest * 60, 1)
    return (int(degrees), int(minutes), round(rest * 60, 6))


def exif(place=PLACE, *, focal=3.6, focal_35=20, make="DJI", model="TEST1", **more):
    data = Image.Exif()
    if make:
        data[0x010F] = make
    if model:
        data[0x0110] = model
    shot = data.get_ifd(0x8769)
    shot[0x9003] = more.get("taken", "2026:05:01 10:00:00")
    if focal is not None:
        shot[0x920A] = focal
    if focal_35 is not None:
        shot[0xA405] = focal_35
    for tag, value in more.get("shot", {}).items():
        shot[tag] = value
    if place is not None:
        gps = data.get_ifd(0x8825)
        lat, lon, *alt = place
        gps[1], gps[2] = "S" if lat < 0 else "N", rationals(lat)
        gps[3], gps[4] = "W" if lon < 0 else "E", rationals(lon)
        if alt:
            gps[5], gps[6] = b"\x00" if alt[0] >= 0 else b"\x01", abs(alt[0])
        gps.update(more.get("gps", {}))
    return data


def packet(fields, prefix="drone-dji"):
    """An XMP packet with its fields as attributes, as most firmware writes them."""
    attributes = " ".join(f'{prefix}:{name}="{value}"' for name, value in fields.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="DJI Meta Data" xmlns:{prefix}="{DJI}" {attributes}/>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def write_photo(path, image=None, *, tags=None, xmp=POSE, seed=0, quality=90):
    """Write a JPEG; `xmp` is a mapping of DJI fields, bytes, or None."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = texture(seed) if image is None else image
    raw = packet(xmp) if isinstance(xmp, dict) else xmp
    more = {} if raw is None else {"xmp": raw}
    image.save(path, "JPEG", quality=quality, exif=exif() if tags is None else tags, **more)
    return path


def flight(folder, count=8, **kwargs):
    """A strip of photos a step apart to the north, one second after another."""
    paths = []
    for i in range(count):
        place = (PLACE[0] + i * 1e-4, PLACE[1], PLACE[2])
        tags = exif(place, taken=f"2026:05:01 10:00:{i:02d}")
        paths.append(write_photo(folder / f"DJI_{i + 1:04d}.JPG", tags=tags, seed=i, **kwargs))
    return paths
