"""Certificates for tests, made by the command openssl: a CA, and what it has signed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

from part import program

LOCAL = "DNS:localhost,IP:127.0.0.1,IP:::1"
VALID = ("20200101000000Z", "21000101000000Z")
PAST = ("20200101000000Z", "20200102000000Z")
FUTURE = ("20990101000000Z", "21000101000000Z")

_EC_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_CONFIGURATION = """
[ca]
default_ca = own
[own]
new_certs_dir = {folder}
database = {folder}/database
serial = {folder}/serial
certificate = {folder}/ca.crt
private_key = {folder}/ca.key
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
basicConstraints = critical, CA:false
[req]
distinguished_name = any_name
x509_extensions = root
[any_name]
[root]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, digitalSignature
"""


class Certificate(NamedTuple):
    """A certificate and its private key: two PEM files."""

    cert: Path
    key: Path


class Authority:
    """A CA of its own, with all its files in `folder`. `cert` is its own certificate."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._configuration = folder / "openssl.cnf"
        self._configuration.write_text(_CONFIGURATION.format(folder=folder))
        (folder / "database").touch()
        (folder / "serial").write_text("01\n")
        self.cert = folder / "ca.crt"
        name = ("-subj", f"/CN=CA of {folder.name}", "-days", "9")
        _openssl("req", "-x509", "-config", self._configuration, *_EC_KEY, *name,
                 "-keyout", folder / "ca.key", "-out", self.cert)  # fmt: skip

    def issue(
        self, name: str, names: str = LOCAL, valid: tuple[str, str] = VALID
    ) -> Certificate:
        """Sign a certificate for these alternative names, valid from and until."""
        request = self._folder / f"{name}.csr"
        issued = Certificate(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        _openssl("req", "-new", "-config", self._configuration, *_EC_KEY, "-subj", f"/CN={name}",
                 "-addext", f"subjectAltName={names}",
                 "-keyout", issued.key, "-out", request)  # fmt: skip
        start, end = valid
        _openssl("ca", "-batch", "-notext", "-config", self._configuration,
                 "-startdate", start, "-enddate", end,
                 "-in", request, "-out", issued.cert)  # fmt: skip
        return issued


def self_signed(folder: Path) -> Certificate:
    """A certificate that no CA has signed."""
    made = Certificate(folder / "self-signed.crt", folder / "self-signed.key")
    _openssl("req", "-x509", *_EC_KEY, "-subj", "/CN=localhost", "-days", "9",
             "-addext", f"subjectAltName={LOCAL}",
             "-keyout", made.key, "-out", made.cert)  # fmt: skip
    return made


def encrypted(key: Path) -> None:
    """Encrypt a private key in its place."""
    plain = key.rename(key.with_suffix(".plain"))
    _openssl("pkey", "-in", plain, "-aes256", "-passout", "pass:secret", "-out", key)


def _openssl(*words: object) -> None:
    command = [program("openssl", "openssl"), *(str(word) for word in words)]
    subprocess.run(command, check=True, capture_output=True)
