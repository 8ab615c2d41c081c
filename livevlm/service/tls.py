"""TLS: what the port shows of itself, and whom a client trusts, checked before anything is opened.

Certificates are renewed while a daemon runs: `load` again, and connections that come after it see the new one.
"""

from __future__ import annotations

import ssl
import time
from pathlib import Path

from livevlm.errors import ConfigError

DAY_S = 86_400.0
SOON_DAYS = 14.0
_HANDSHAKE_STEPS = 8  # a handshake in memory needs three or four turns


def server_context(cert: str, key: str) -> ssl.SSLContext:
    """What a server shows: the certificate, with those that lead to its authority, and its key; TLS 1.2 at least.

    Raises ConfigError where a file cannot be used, or the two do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load(context, cert, key)
    return context


def load(context: ssl.SSLContext, cert: str, key: str) -> None:
    """Have the context show this certificate from now on. Errors as above; the context is as it was then."""
    files = Path(cert).expanduser(), Path(key).expanduser()
    certificate = _text("server.tls_cert", cert)
    secret = _text("server.tls_key", key)
    if "-----BEGIN CERTIFICATE-----" not in certificate:
        raise ConfigError(f"server.tls_cert {cert}: holds no certificate in PEM format")
    if "PRIVATE KEY-----" not in secret:
        raise ConfigError(f"server.tls_key {key}: holds no private key in PEM format")
    if "ENCRYPTED" in secret:
        raise ConfigError(
            f"server.tls_key {key}: is locked with a passphrase, and nobody is there to type it;"
            " unlock it with `openssl pkey -in LOCKED -out FILE`, and let nobody else read that"
        )
    try:
        # In a context of its own first: a failure may come after the half of it.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*files)
        context.load_cert_chain(*files)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(
                f"server.tls_key {key}: is not the key of server.tls_cert {cert}; give the two that were made together"
            ) from error
        raise ConfigError(
            f"server.tls_cert {cert} and server.tls_key {key}: cannot be used: {error.reason or error}"
        ) from error


def client_context(ca: str | None) -> ssl.SSLContext:
    """Whom a client trusts: the system's authorities, or those in the file `ca`, or the one certificate there.

    Raises ConfigError where the file cannot be used.
    """
    if ca is None:
        return ssl.create_default_context()
    if "-----BEGIN CERTIFICATE-----" not in _text("the authorities' file", ca):
        raise ConfigError(f"the authorities' file {ca}: holds no certificate in PEM format")
    try:
        context = ssl.create_default_context(cafile=str(Path(ca).expanduser()))
    except ssl.SSLError as error:
        raise ConfigError(f"the authorities' file {ca}: cannot be used: {error.reason}") from error
    # So that the daemon's own certificate may be given, too.
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    return context


def ailment(context: ssl.SSLContext, cert: str) -> str | None:
    """Why clients may refuse what the context shows, or will soon: expired, not valid yet. None where nothing is known.

    Found by shaking hands with ourselves in memory: only a client is told what is in a certificate.
    """
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    trusting.load_verify_locations(Path(cert).expanduser())
    try:
        shown = _shown(context, trusting)
    except ssl.SSLCertVerificationError as error:
        return f"clients will refuse it: {error.verify_message}; have it renewed"
    left_days = (ssl.cert_time_to_seconds(str(shown["notAfter"])) - time.time()) / DAY_S
    if left_days < SOON_DAYS:
        return f"it expires in {left_days:.0f} days; have it renewed"
    return None


def _shown(server: ssl.SSLContext, client: ssl.SSLContext) -> dict[str, object]:
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (
        client.wrap_bio(to_client, to_server),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(_HANDSHAKE_STEPS):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return dict(sides[0].getpeercert() or {})


def _text(what: str, file: str) -> str:
    """What a PEM file holds; other encodings of certificates are no text."""
    try:
        return Path(file).expanduser().read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(f"{what} {file}: {error.strerror or error}") from error
