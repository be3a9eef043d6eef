"""Which images a verifier looks at: nobody knows before the nonce is drawn."""

import hashlib
import re
import secrets
from collections.abc import Sequence

from mtlattack.canonical import canonical_json
from mtlattack.errors import InputError

# Printed, typed again, and written into the ledger.
_NONCE = re.compile(r"[!-~]{1,64}")


def draw_nonce() -> str:
    """A nonce that nobody could have known, 16 hexadecimal digits."""
    return secrets.token_hex(8)


def pick_images(identity: str, nonce: str, ids: Sequence[str], images: int) -> list[int]:
    """Positions, in order, of the `images` ids with the smallest SHA-256 of row id, nonce and image id; all where there
    are no more.

    The same for the same three, whatever the order of the ids. InputError for no images, and for a nonce that is not 1
    to 64 printable ASCII characters without blanks.
    """
    if images < 1:
        raise InputError(f"images {images}, expected at least 1")
    if not _NONCE.fullmatch(nonce):
        raise InputError(f"nonce {nonce!r:.80}, expected 1 to 64 printable ASCII characters without blanks")

    def rank(position: int) -> bytes:
        # As JSON, so that no two triples are the same text.
        return hashlib.sha256(canonical_json([identity, nonce, ids[position]])).digest()

    return sorted(sorted(range(len(ids)), key=rank)[:images])
