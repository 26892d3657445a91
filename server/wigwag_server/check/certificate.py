"""The server's own certificate: does it fit its key, and until when is it good."""

import ssl
import time
from collections.abc import Iterator
from pathlib import Path

from wigwag_proto.findings import Finding, ok, wrong
from wigwag_proto.stream_verdict import expiry


def check_certificate(certificate: Path, key: Path) -> Iterator[Finding]:
    """Load both as a server does, and read the certificate by a handshake in memory. Blocks on the disk."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        server.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        what = f"--tls-certificate {certificate} with --tls-key {key} cannot be used: {error}"
        mend = "Both are PEM files; the key must be that of the first certificate, without a passphrase, and readable."
        yield wrong("certificate", what, mend)
        return
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(certificate)
    try:
        found = _presented(server, client)
    except ssl.SSLError as error:
        why = getattr(error, "verify_message", "") or str(error)
        mend = "Renew it: clients refuse it. The file must begin with the server's own certificate, then the chain."
        yield wrong("certificate", f"{certificate} is not accepted: {why}", mend)
        return
    names = [str(value) for kind, value in found.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    if not names:
        mend = "Have one made with subjectAltName: clients look at nothing else."
        yield wrong("certificate", f"{certificate} is for no name at all", mend)
        return
    yield ok("certificate names", ", ".join(names))
    yield expiry(str(found["notAfter"]), time.time())


def _presented(server: ssl.SSLContext, client: ssl.SSLContext) -> dict[str, tuple[tuple[str, str], ...]]:
    """Shake hands with ourselves, and return what the client is shown. Raises SSLError where it refuses that."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    ours = client.wrap_bio(to_client, to_server)
    waiting = [ours, theirs]
    while waiting:
        for side in list(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
    return ours.getpeercert() or {}  # type: ignore[return-value]  # of several types; those we read are tuples of pairs
