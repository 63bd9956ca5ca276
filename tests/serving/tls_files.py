"""Certificates of an authority of the test's own, as PEM files."""

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class Pem:
    """The files of one certificate."""

    certificate: Path
    key: Path


class Authority:
    """An authority, and a folder for what it issues."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._ca = trustme.CA()
        self.certificate = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.certificate))

    def issue(self, name: str, *identities: str) -> Pem:
        """Issues a certificate for `identities` (localhost unless given) into files of that name, over older ones."""
        issued = self._ca.issue_cert(*(identities or ("localhost", "127.0.0.1")))
        pem = Pem(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        pem.certificate.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(str(pem.key))
        return pem
