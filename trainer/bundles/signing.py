"""Signing keys: Ed25519, the private one in a file that only its owner may read."""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from dataclasses import dataclass
from pathlib import Path

from nacl.encoding import HexEncoder
from nacl.exceptions import CryptoError
from nacl.signing import SigningKey

from trainer.errors import KeyFileError


@dataclass(frozen=True)
class Signer:
    """A private key that was read."""

    key: SigningKey

    @property
    def public_key(self) -> str:
        """The public key in hex, as gateways list it under ``trusted_keys``."""
        return str(self.key.verify_key.encode(HexEncoder).decode("ascii"))

    def signature(self, content: bytes) -> bytes:
        """Return the bundle's member SIGNATURE for the manifest's bytes: public key and signature in hex."""
        return f"{self.public_key} {self.key.sign(content).signature.hex()}".encode("ascii")


def make_key(path: Path) -> Signer:
    """Make a key pair and write the private key, in hex, readable by its owner only.

    Raises:
        KeyFileError: If the file exists, or cannot be written.
    """
    signer = Signer(SigningKey.generate())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(signer.key.encode(HexEncoder) + b"\n")
    except FileExistsError as error:
        raise KeyFileError(path, "exists already and is left alone; name another file") from error
    except OSError as error:
        raise KeyFileError(path, f"cannot be written: {error.strerror}") from error
    return signer


def load_key(path: Path) -> Signer:
    """Read a private key that ``make_key`` wrote.

    Raises:
        KeyFileError: If the file cannot be read, or holds no key.
    """
    try:
        return Signer(SigningKey(path.read_bytes().removeprefix(BOM_UTF8).strip(), encoder=HexEncoder))
    except OSError as error:
        raise KeyFileError(path, f"cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, CryptoError) as error:
        raise KeyFileError(path, "holds no signing key; make one with: judder-train keygen FILE") from error
