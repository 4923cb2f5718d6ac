"""A .tflite as it lies in a flash partition of its own: behind a header that says for which firmware it is.

All numbers are little-endian. The reader is firmware_templates/stored_model/ek_stored_model.c.

| bytes | what |
|---|---|
| 0 to 3 | `EKSM` |
| 4 to 7 | the version of this format, 1 |
| 8 to 11 | bytes of the .tflite |
| 12 to 15 | bytes of the arena that it needs |
| 16 to 47 | SHA-256 of the bytes before it, and of those behind it up to the .tflite's end |
| 48 to 79 | the fit: firmware runs those models that have its own |
| 80 to 111 | digest of the model, as HELLO tells it |
| 112 to 143 | digest of its contract |
| from 144 on | the .tflite, so aligned to 16 bytes |
"""

import hashlib
import json
import struct
from collections.abc import Sequence

from edgekit.contract import Contract

HEADER_BYTES = 144
_MAGIC = b"EKSM"
_VERSION = 1


def fit(library: str, methods: Sequence[str], operators: int, contract: Contract, table: bytes) -> bytes:
    """Return 32 bytes that are equal for models that the same firmware can run, the arena's size aside.

    Args:
        library: the release of TensorFlow Lite Micro.
        methods: what the resolver registers.
        operators: how many the interpreter runs, which HELLO tells.
        contract: its input shape and number of classes.
        table: what turns pixels into int8, which lies in the firmware; empty where there are no pixels.
    """
    fields = {
        "library": library,
        "methods": list(methods),
        "operators": operators,
        "input_shape": list(contract.input_shape),
        "classes": contract.classes,
        "table": hashlib.sha256(table).hexdigest(),
    }
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode("ascii")).digest()


def pack(model: bytes, arena_bytes: int, fits: bytes, model_digest: str, contract_digest: str) -> bytes:
    """Return header and .tflite.

    Args:
        model: the .tflite.
        arena_bytes: what it needs.
        fits: what `fit` returned.
        model_digest: in hex.
        contract_digest: in hex.
    """
    checked = fits + bytes.fromhex(model_digest) + bytes.fromhex(contract_digest) + model
    head = struct.pack("<4s3I", _MAGIC, _VERSION, len(model), arena_bytes)
    # The numbers are under the digest too, so that no bit of the whole is left unchecked.
    return head + hashlib.sha256(head + checked).digest() + checked
