"""Whether an uploaded image can be read at all.

Knows image heads. Decodes no pixels.
"""

from __future__ import annotations

import io


def is_readable(content: bytes) -> bool:
    """Return whether the bytes begin an image that has a size."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as image:
            return image.width > 0 and image.height > 0
    except (UnidentifiedImageError, OSError, ValueError):
        return False
