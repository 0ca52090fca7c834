"""The portal id: from the configuration, from the file of a GX, or from its system service."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.portal import Answer, PortalFinder


class Bench:
    """A finder with a file that may be there and a service that may be asked."""

    def __init__(self, tmp_path: Path, configured: str = "auto") -> None:
        self.file = tmp_path / "unique-id"
        self.asked: list[Answer] = []
        self.found: list[str] = []
        self.finder = PortalFinder(configured, self.asked.append, self.found.append, self.file)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_configured_id_is_not_looked_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "c0ffee")
    bench.file.write_text("other")
    bench.finder.look()
    assert (bench.finder.portal, bench.asked, bench.found) == ("c0ffee", [], [])


def test_the_file_of_a_gx_has_it(bench: Bench) -> None:
    bench.file.write_text("c0ffee\n")
    bench.finder.look()
    bench.finder.look()
    assert (bench.finder.portal, bench.asked, bench.found) == ("c0ffee", [], ["c0ffee"])


@pytest.mark.parametrize("content", [b"", b"\n", b"a b", b"+", b"a/b", b"#"])
def test_a_file_without_one_is_looked_at_again(bench: Bench, content: bytes) -> None:
    bench.file.write_bytes(content)
    bench.finder.look()
    assert (bench.finder.portal, bench.found) == ("", [])
    bench.file.write_text("c0ffee")
    bench.finder.look()
    assert bench.found == ["c0ffee"]


def test_else_the_system_service_is_asked_until_it_answers(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    bench.finder.look()
    bench.finder.look()
    assert len(bench.asked) == 2
    assert caplog.messages == ["asking com.victronenergy.system for the portal id"]
    for answer in bench.asked:
        answer("c0ffee")
    bench.finder.look()
    assert (bench.found, len(bench.asked)) == (["c0ffee"], 2)


@pytest.mark.parametrize("answer", [None, 7, "", "+", "a/b", [], b"c0ffee"])
def test_an_answer_that_is_no_portal_id_is_none(bench: Bench, answer: object) -> None:
    bench.finder.look()
    bench.asked[0](answer)
    assert (bench.finder.portal, bench.found) == ("", [])
