"""The files that a configuration names for the broker: password, certificates, key."""

from __future__ import annotations

import os
import ssl
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.adapters import private_file
from bridge.adapters.broker import Broker, broker_of, problems_with_files, tls_context
from bridge.adapters.private_file import read_password
from bridge.adapters.small_file import Unreadable
from bridge.core.settings.configuration import BadConfiguration, MqttConfig, parse
from tests.harness.certificates import Authority, encrypted
from tests.unit.test_configuration import MINIMAL, problems_of

# --- the password file ------------------------------------------------------------------------


def password_file(folder: Path, content: bytes, mode: int = 0o600) -> str:
    file = folder / "password"
    file.write_bytes(content)
    file.chmod(mode)
    return str(file)


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"a", "a"),
        (b"a\n", "a"),
        (b"a\r\nb", "a"),
        (b"a\nb\n", "a"),
        (b"\xef\xbb\xbfa\n", "a"),
        ("ä b ".encode(), "ä b "),
        ("a\u2028b\x0cc\n".encode(), "a\u2028b\x0cc"),
        (b"x" * private_file.MAX_PASSWORD, "x" * private_file.MAX_PASSWORD),
    ],
)
def test_the_password_is_the_first_line(tmp_path: Path, content: bytes, password: str) -> None:
    assert read_password(password_file(tmp_path, content)) == password


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "has no password"),
        (b"\n", "has no password"),
        (b"\r\n", "has no password"),
        (b"\xef\xbb\xbf\n", "has no password"),
        (b"\xff\xfea\x00\n\x00", "is not UTF-8 text"),
        (b"x" * 1001, "is longer than 1000 bytes"),
    ],
)
def test_a_password_file_without_a_password(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        read_password(password_file(tmp_path, content))


@pytest.mark.promise("files")
@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o660, 0o620, 0o602, 0o601, 0o444])
def test_a_file_that_others_can_use_is_refused_with_the_line_that_mends_it(
    tmp_path: Path, mode: int
) -> None:
    file = password_file(tmp_path, b"a\n", mode)
    with pytest.raises(Unreadable, match=f"{mode:04o}.*chmod 600 {file}"):
        read_password(file)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_of_its_owner_alone_is_taken(tmp_path: Path, mode: int) -> None:
    assert read_password(password_file(tmp_path, b"a\n", mode)) == "a"


@pytest.mark.promise("files")
def test_a_file_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = password_file(tmp_path, b"a\n")
    owner = Path(file).stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    if owner == 0:
        assert read_password(file) == "a"  # root may read it in any case
        os.chown(file, 1, 1)
    with pytest.raises(Unreadable, match=r"belongs to another user: chown \d+ "):
        monkeypatch.setattr(os, "geteuid", lambda: owner + 2)
        read_password(file)


@pytest.mark.parametrize("mode", [0o444, 0o644, 0o440, 0o600])
def test_the_secret_of_a_container_may_be_readable(tmp_path: Path, mode: int) -> None:
    """The rule: see `CONTAINER_SECRETS`."""
    file = password_file(tmp_path, b"a\n", mode)
    assert read_password(file, secrets=tmp_path) == "a"
    link = tmp_path / "link"
    link.symlink_to(file)
    assert read_password(str(link), secrets=tmp_path) == "a"


@pytest.mark.parametrize("mode", [0o666, 0o622, 0o464])
def test_the_secret_of_a_container_must_not_be_writable(tmp_path: Path, mode: int) -> None:
    with pytest.raises(Unreadable, match="other users can change it"):
        read_password(password_file(tmp_path, b"a\n", mode), secrets=tmp_path)


def test_a_link_out_of_the_secrets_is_no_secret_of_the_container(tmp_path: Path) -> None:
    file, secrets = password_file(tmp_path, b"a\n", 0o444), tmp_path / "secrets"
    secrets.mkdir()
    link = secrets / "password"
    link.symlink_to(file)
    with pytest.raises(Unreadable, match="other users can read it"):
        read_password(str(link), secrets=secrets)


def test_a_link_counts_as_the_file_behind_it(tmp_path: Path) -> None:
    file, link = password_file(tmp_path, b"a\n"), tmp_path / "link"
    link.symlink_to(file)
    assert read_password(str(link)) == "a"
    Path(file).chmod(0o644)
    with pytest.raises(Unreadable, match="other users can read it"):
        read_password(str(link))


def _pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)


def _itself(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "No such file"),
        (Path.mkdir, "is not a file"),
        (_pipe, "is not a file"),
        (_itself, "symbolic links"),
        (lambda path: path.symlink_to("/dev/zero"), "is not a file"),
    ],
)
def test_what_is_no_file_is_refused_at_once(
    tmp_path: Path, make: Callable[[Path], None], words: str
) -> None:
    path = tmp_path / "password"
    make(path)
    with pytest.raises(Unreadable, match=words):
        read_password(str(path))


@pytest.mark.parametrize("name", ["a\x00b", "\ud800"])
def test_a_name_that_no_file_can_have(name: str) -> None:
    with pytest.raises(Unreadable):
        read_password(name)


def test_the_broker_gets_the_password(tmp_path: Path) -> None:
    file = password_file(tmp_path, b"open-sesame\n")
    broker = broker_of(MqttConfig(username="me", password_file=file))
    assert (broker.username, broker.password) == ("me", "open-sesame")


def test_a_password_file_that_is_gone_meanwhile_is_a_mistake() -> None:
    with pytest.raises(BadConfiguration, match=r"mqtt\.password_file: /nowhere: No such file"):
        broker_of(MqttConfig(username="me", password_file="/nowhere"))


# --- TLS --------------------------------------------------------------------------------------


def test_a_certificate_is_asked_for_unless_told_otherwise() -> None:
    careful = tls_context(Broker("127.0.0.1", 8883, tls=True))
    assert (careful.verify_mode, careful.check_hostname) == (ssl.CERT_REQUIRED, True)
    careless = tls_context(Broker("127.0.0.1", 8883, tls=True, tls_insecure=True))
    assert (careless.verify_mode, careless.check_hostname) == (ssl.CERT_NONE, False)


def test_tls_of_the_configuration_reaches_the_broker(tmp_path: Path) -> None:
    usual = with_files(tmp_path)
    files = {"ca": usual.tls_ca, "cert": usual.tls_cert, "key": usual.tls_key}
    broker = broker_of(parse({**MINIMAL, "mqtt": {"tls": {**files, "insecure": True}}}).mqtt)
    assert (broker.tls_ca, broker.tls_cert, broker.tls_key) == tuple(files.values())
    assert broker.tls and broker.tls_insecure
    assert not broker_of(parse(MINIMAL).mqtt).tls


@pytest.mark.parametrize(
    ("mqtt", "problem"),
    [
        ({"tls": None}, "mqtt.tls: is empty"),
        ({"tls": {"key": "/key"}}, "mqtt.tls.key: needs tls.cert"),
        ({"password_file": "/password"}, "mqtt.password_file: needs mqtt.username"),
        ({"password": "open-sesame"}, "mqtt.password: does not belong here"),
        ({"password": 1234}, "mqtt.password: does not belong here"),
    ],
)
def test_half_a_login_is_a_mistake(mqtt: dict[str, object], problem: str) -> None:
    problems = problems_of({**MINIMAL, "mqtt": mqtt})
    assert any(words.startswith(problem) for words in problems)
    assert "sesame" not in " ".join(problems), "a password is not shown"


def with_files(folder: Path) -> MqttConfig:
    ca = Authority(folder / "ca")
    ours = ca.issue("ours")
    return MqttConfig(
        tls=True, tls_ca=str(ca.cert), tls_cert=str(ours.cert), tls_key=str(ours.key)
    )


def test_files_that_fit_are_loaded(tmp_path: Path) -> None:
    mqtt = with_files(tmp_path)
    assert problems_with_files(mqtt) == []
    assert tls_context(broker_of(mqtt)).get_ca_certs()


def test_the_key_may_be_in_the_file_of_the_certificate(tmp_path: Path) -> None:
    mqtt = with_files(tmp_path)
    both = tmp_path / "both.pem"
    both.write_bytes(Path(mqtt.tls_key).read_bytes() + Path(mqtt.tls_cert).read_bytes())
    both.chmod(0o600)
    one = MqttConfig(tls=True, tls_ca=mqtt.tls_ca, tls_cert=str(both))
    assert problems_with_files(one) == []
    tls_context(broker_of(one))
    both.chmod(0o644)
    (problem,) = problems_with_files(one)
    assert f"mqtt.tls.cert: {both}" in problem and f"chmod 600 {both}" in problem


@pytest.mark.parametrize("name", ["tls_cert", "/etc/passwd"])
def test_a_certificate_without_a_key_is_no_secret(tmp_path: Path, name: str) -> None:
    """To close it to others would be harmful, if it is a file of the system."""
    path = getattr(with_files(tmp_path), name, name)
    problems = problems_with_files(MqttConfig(tls=True, tls_cert=path))
    assert f"mqtt.tls.cert: {path}: has no private key, and mqtt.tls.key is missing" in problems
    assert "chmod" not in " ".join(problems)


def test_a_missing_file_for_certificate_and_key_is_said_once(tmp_path: Path) -> None:
    (problem,) = problems_with_files(MqttConfig(tls=True, tls_cert=str(tmp_path / "none")))
    assert "No such file" in problem


@pytest.mark.parametrize(
    ("name", "spoil", "words"),
    [
        ("ca", lambda path: path.write_text("no certificate"), "has no certificate in the form"),
        ("ca", lambda path: path.write_text("-----BEGIN CERTIFICATE-----\nx"), "OpenSSL cannot"),
        ("ca", Path.unlink, "No such file"),
        ("cert", lambda path: path.write_bytes(b""), "has no certificate in the form"),
        ("cert", Path.unlink, "No such file"),
        ("key", lambda path: path.write_bytes(b""), "has no private key in the form"),
        ("key", lambda path: path.chmod(0o644), "other users can read it"),
        ("key", lambda path: path.write_text("-----BEGIN PRIVATE KEY-----\nx"), "OpenSSL cannot"),
        ("key", lambda path: path.write_bytes(b"x" * 99_999), "is longer than"),
        ("key", encrypted, "is encrypted"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_reason(
    tmp_path: Path, name: str, spoil: Callable[[Path], object], words: str
) -> None:
    mqtt = with_files(tmp_path)
    path = Path(getattr(mqtt, f"tls_{name}"))
    spoil(path)
    problems = problems_with_files(mqtt)
    assert any(problem.startswith(f"mqtt.tls.{name}: {path}: ") for problem in problems)
    assert any(words in problem for problem in problems)


NOBODY = 65534


@pytest.mark.promise("files")
@pytest.mark.parametrize(
    ("mode", "owner", "group", "words"),
    [
        (0o444, 0, 0, ""),
        (0o644, 0, NOBODY, ""),
        (0o664, 0, 0, ""),
        (0o664, 0, NOBODY, "chmod go-w"),
        (0o646, 0, 0, "chmod go-w"),
        (0o666, 0, 0, "chmod go-w"),
        (0o602, 0, 0, "chmod go-w"),
        (0o644, NOBODY, NOBODY, "belongs to another user: chown"),
    ],
)
def test_a_ca_that_others_can_change_is_refused_with_the_line_that_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, owner: int, group: int, words: str
) -> None:
    """Whoever can change it can take the broker's place."""
    mqtt = with_files(tmp_path)
    fstat = os.fstat

    def of_the_owner(descriptor: int) -> os.stat_result:
        status = fstat(descriptor)
        if status.st_ino == Path(mqtt.tls_ca).stat().st_ino:
            return os.stat_result((stat.S_IFREG | mode, *status[1:4], owner, group, *status[6:]))
        return status

    monkeypatch.setattr(os, "fstat", of_the_owner)
    problems = problems_with_files(mqtt)
    if not words:
        assert problems == []
    else:
        (problem,) = problems
        assert problem.startswith(f"mqtt.tls.ca: {mqtt.tls_ca}: ")
        assert words in problem and problem.endswith(f" {mqtt.tls_ca}")


def test_a_key_that_does_not_belong_to_the_certificate(tmp_path: Path) -> None:
    mqtt = with_files(tmp_path)
    other = Authority(tmp_path / "other").issue("other")
    Path(mqtt.tls_key).write_bytes(other.key.read_bytes())
    (problem,) = problems_with_files(mqtt)
    assert problem.endswith("is not the key of the certificate in mqtt.tls.cert")


def test_the_terminal_is_never_asked_for_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mqtt = with_files(tmp_path)
    encrypted(Path(mqtt.tls_key))
    monkeypatch.setattr(sys, "stdin", None)
    files = {name: getattr(mqtt, name) for name in ("tls_ca", "tls_cert", "tls_key")}
    with pytest.raises(OSError):
        tls_context(Broker("127.0.0.1", 8883, tls=True, **files))
