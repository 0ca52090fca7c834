"""The certificate of the broker: one's own, or one that is made here with a CA of its own."""

from __future__ import annotations

import re
import secrets
import ssl
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from files import Problem, run

DAY = 86400  # s
# Days. Ours: long, because a client must be given the new CA by hand; certificates are renewed at a
# start of the broker, without a change for the clients.
CA_LASTS, SERVER_LASTS, RENEW_BEFORE = 7300, 1825, 365

ALWAYS = ("broker", "localhost", "127.0.0.1", "::1")  # the first is its name in compose.yaml

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_OPENSSL = """\
[req]
distinguished_name = name
prompt = no
[name]
CN = virtual-battery {common_name}
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""


@dataclass(frozen=True)
class Files:
    """The files of a folder. Only our own CA has its key there."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def ca_key(self) -> Path:
        return self.folder / "ca.key"

    @property
    def certificate(self) -> Path:
        return self.folder / "server.crt"

    @property
    def key(self) -> Path:
        return self.folder / "server.key"


def prepared(folder: Path, names: Sequence[str]) -> Files:
    """The files of a folder; ours are made and renewed. Raises Problem and OSError.

    names: what the clients call this machine, names and addresses, beside ALWAYS.
    """
    for name in names:
        if not re.fullmatch("[0-9A-Za-z.:-]+", name):
            raise Problem(f"{name!r} is no name of a machine and no address")
    files = Files(folder)
    needed = (files.ca, files.certificate, files.key)
    missing = [file.name for file in needed if not file.exists()]
    if len(missing) == len(needed):
        _make_ca(files)
    if _fit(files.ca, files.ca_key):
        if not _is_good(files, names):
            _make_certificate(files, names)
    elif missing:
        raise Problem(f"{folder} has no {' and no '.join(missing)}: give all three files, or none")
    _check(files, names)
    return files


def _make_ca(files: Files) -> None:
    """The key comes first: without a ca.crt, the next start makes both again."""
    with tempfile.TemporaryDirectory(dir=files.folder) as folder:
        made = Files(Path(folder))
        config = _config(made, "CA", ALWAYS)
        run(["openssl", "req", "-x509", "-config", config, "-extensions", "ca", *_NEW_KEY,
             "-days", str(CA_LASTS), "-keyout", made.ca_key, "-out", made.ca])  # fmt: skip
        made.ca_key.replace(files.ca_key)
        made.ca.replace(files.ca)


def _make_certificate(files: Files, names: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(dir=files.folder) as folder:
        made = Files(Path(folder))
        config = _config(made, "broker", (*ALWAYS, *names))
        request = made.folder / "request"
        run(["openssl", "req", "-new", "-config", config, *_NEW_KEY,
             "-keyout", made.key, "-out", request])  # fmt: skip
        run(["openssl", "x509", "-req", "-in", request, "-CA", files.ca, "-CAkey", files.ca_key,
             "-set_serial", str(secrets.randbits(120)), "-days", str(SERVER_LASTS),
             "-extfile", config, "-extensions", "server", "-out", made.certificate])  # fmt: skip
        made.key.replace(files.key)
        made.certificate.replace(files.certificate)


def _config(files: Files, common_name: str, names: Sequence[str]) -> Path:
    config = files.folder / "openssl.cnf"
    kinds = ", ".join(f"{'IP' if _is_address(name) else 'DNS'}:{name}" for name in names)
    config.write_text(_OPENSSL.format(common_name=common_name, names=kinds), encoding="ascii")
    return config


def _is_address(name: str) -> bool:
    return ":" in name or re.fullmatch(r"[0-9.]+", name) is not None


def _fit(certificate: Path, key: Path) -> bool:
    try:
        _load(certificate, key)
    except (OSError, ValueError):
        return False
    return True


def _load(certificate: Path, key: Path) -> None:
    """Raises OSError where they cannot be read, or do not belong together."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key, password=lambda: "")  # else it asks a terminal


def _is_good(files: Files, names: Sequence[str]) -> bool:
    """Whether our certificate fits, has all names, and need not be renewed yet."""
    if not files.certificate.exists() or not _fit(files.certificate, files.key):
        return False
    try:
        _verify(files, (*ALWAYS, *names), time.time() + RENEW_BEFORE * DAY)
    except Problem:
        return False
    return True


def _check(files: Files, names: Sequence[str]) -> None:
    """Raises Problem and OSError where clients could not trust the broker."""
    try:
        _load(files.certificate, files.key)
    except ssl.SSLError as problem:
        words = f"{files.certificate} and {files.key.name} cannot be used: {problem.reason}"
        raise Problem(words) from None
    _verify(files, names or ALWAYS[:1], time.time())


def _verify(files: Files, names: Sequence[str], epoch: float) -> None:
    """Raises Problem where a client that trusts the CA would not trust the broker by a name."""
    for name in names:
        kind = "-verify_ip" if _is_address(name) else "-verify_hostname"
        try:
            run(["openssl", "verify", "-CAfile", files.ca, "-untrusted", files.certificate,
                 "-attime", str(int(epoch)), kind, name, files.certificate])  # fmt: skip
        except Problem as problem:
            reason = re.search(r"lookup: ?([^;]*)", str(problem))
            words = reason[1] if reason else problem
            raise Problem(f"{files.certificate} does not serve as {name}: {words}") from None
