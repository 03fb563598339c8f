"""A loopback server behind TLS, and what trusts it and nobody else."""

from __future__ import annotations

import datetime as dt
import ssl
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.net.conftest import Server


def make_certificate(folder: Path) -> Path:
    """Write a new key and a certificate it signed itself, for this machine and for one hour."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cupixgeo tests")])
    names = x509.SubjectAlternativeName(
        [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")]
    )
    now, hour = dt.datetime.now(dt.UTC), dt.timedelta(hours=1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - hour).not_valid_after(now + hour)
    builder = builder.add_extension(names, critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    pem, traditional = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(pem, traditional, serialization.NoEncryption())
        + certificate.public_bytes(pem)
    )
    return path


def encrypted(server: Server, certificate: Path) -> Server:
    """Put a server that has answered nobody yet behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    # The handshake is left to the thread that answers.
    server._http.socket = context.wrap_socket(
        server._http.socket, server_side=True, do_handshake_on_connect=False
    )
    server.url = server.url.replace("http://", "https://")
    return server
