"""Certificates for tests: each is its own CA, and good for 127.0.0.1 and for both ends of a connection."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Certificate:
    """Two files (PEM)."""

    chain: Path
    key: Path

    def of_redis(self, port: int) -> dict[str, object]:
        """Return the directives by which a Redis (or a Sentinel) also listens with it, and asks for it."""
        files = {"tls-cert-file": self.chain, "tls-key-file": self.key, "tls-ca-cert-file": self.chain}
        return {"tls-port": port, "tls-replication": "yes", **files}

    @property
    def query(self) -> str:
        """The options by which a store's URL trusts it, and shows it."""
        return f"ssl_ca_certs={self.chain}&ssl_certfile={self.chain}&ssl_keyfile={self.key}"


def make_certificate(folder: Path, name: str = "mine") -> Certificate:
    """Make one."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject]
    subprocess.run([*words, "-keyout", made.key, "-out", made.chain], check=True, capture_output=True)
    return made
