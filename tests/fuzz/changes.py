"""How an input is changed: anywhere, or inside an archive."""

import io
import random
import zipfile
import zlib

from model_fuzzer import raw

__all__ = ["in_zip", "raw"]

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    ValueError,
    OSError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    LookupError,
)


def in_zip(data: bytes, rng: random.Random) -> bytes:
    """Change one member of an archive and pack it again, or change any bytes of the archive."""
    if rng.random() < 0.3:
        return raw(data, rng)
    out = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
            members = old.infolist()
            chosen = rng.choice(members).filename if members else ""
            for member in members[:20]:
                content = old.read(member) if member.file_size < 1 << 16 else b""
                packing = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
                changed = raw(content, rng) if member.filename == chosen and content else content
                new.writestr(member.filename, changed, packing)
    except _BROKEN:
        return raw(data, rng)
    return out.getvalue()
