"""Topics: what is built can be read again, and nobody spells one elsewhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge import topics
from bridge.topics import (
    BatteryTopics,
    EntityTopic,
    NotificationTopic,
    PortalTopics,
    ReadTopic,
    WriteTopic,
)

ROOT = Path(__file__).parents[2]
VALUE_TOPICS = [WriteTopic, ReadTopic, NotificationTopic]

levels = st.text(min_size=1).filter(lambda text: not set("/+#") & set(text))
instances = st.integers(0, 999_999_999)
paths = st.text().map(lambda text: "/" + text)


# --- building and reading ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", VALUE_TOPICS)
@given(portal=levels, instance=instances, path=paths)
def test_a_value_topic_is_read_as_it_was_built(
    kind: type[WriteTopic], portal: str, instance: int, path: str
) -> None:
    topic = kind(portal, instance, path)
    assert kind.parse(topic.build()) == topic
    root = kind.root(portal, instance)
    assert topics.path_below(root, topic.build()) == path
    for other in VALUE_TOPICS:
        assert (other.parse(topic.build()) is None) == (other is not kind)


@given(levels, levels, levels)
def test_an_entity_topic_is_read_as_it_was_built(platform: str, node: str, key: str) -> None:
    topic = EntityTopic(platform, node, key)
    assert EntityTopic.parse(topic.build()) == topic
    assert topics.is_home_assistant(topic.build())


@pytest.mark.parametrize("kind", [*VALUE_TOPICS, EntityTopic])
@given(text=st.text() | st.text("WRN/battery0123+#").map(lambda text: "W/p/battery/" + text))
@example(text="W/p/battery/" + "9" * 5000 + "/Soc")
@example(text="W/p/battery/01/Soc")
@example(text="W/p/battery/\u0661/Soc")
@example(text="W/+/battery/1/Soc")
@example(text="W//battery/1/Soc")
@example(text="W/p/tank/1/Soc")
@example(text="W/p/battery/1")
@example(text="")
def test_other_text_is_none_or_what_would_be_built(
    kind: type[WriteTopic] | type[EntityTopic], text: str
) -> None:
    topic = kind.parse(text)
    assert topic is None or topic.build() == text


@given(levels, instances, st.text())
def test_the_fast_way_and_the_strict_way_agree(portal: str, instance: int, rest: str) -> None:
    root = WriteTopic.root(portal, instance)
    parsed = WriteTopic.parse(root + rest)
    ours = parsed is not None and (parsed.portal, parsed.instance) == (portal, instance)
    assert topics.path_below(root, root + rest) == (parsed.path if parsed and ours else None)


def test_a_path_is_below_a_root_that_is_known_and_in_front() -> None:
    root = WriteTopic.root("c0ffee", 1)
    for topic in ("/Soc", "", root, root + "1/Soc", "W/c0ffee/battery/2/Soc"):
        assert topics.path_below(root, topic) is None
        assert topics.path_below("", topic) is None


def test_an_instance_has_nine_digits_at_most() -> None:
    assert WriteTopic.parse("W/p/battery/999999999/Soc") is not None
    assert WriteTopic.parse("W/p/battery/1000000000/Soc") is None


def test_a_read_may_ask_for_a_whole_battery() -> None:
    assert ReadTopic.parse("R/c0ffee/battery/1") == ReadTopic("c0ffee", 1, "")
    assert WriteTopic.parse("W/c0ffee/battery/1") is None


@pytest.mark.parametrize(
    ("text", "is_one"), [("c0ffee", True), ("", False), ("a/b", False), ("+", False), ("#", False)]
)
def test_a_level(text: str, is_one: bool) -> None:
    assert topics.is_level(text) is is_one


# --- as clients know them: a change here is a change for every client ------------------------


def test_the_topics_as_they_are_on_the_wire() -> None:
    ours = BatteryTopics("virtual-battery", "cellar")
    assert [ours.stem, ours.state, ours.settings, ours.rejected, ours.set] == [
        "virtual-battery/cellar",
        "virtual-battery/cellar/state",
        "virtual-battery/cellar/settings",
        "virtual-battery/cellar/rejected",
        "virtual-battery/cellar/set",
    ]
    assert topics.bridge_status("virtual-battery") == "virtual-battery/status"
    assert topics.all_batches("virtual-battery") == "virtual-battery/+/set"
    assert WriteTopic("c0ffee", 7, "/Dc/0/Voltage").build() == "W/c0ffee/battery/7/Dc/0/Voltage"
    assert ReadTopic("c0ffee", 7, "/Soc").build() == "R/c0ffee/battery/7/Soc"
    assert NotificationTopic("c0ffee", 7, "/Soc").build() == "N/c0ffee/battery/7/Soc"
    assert topics.all_below(WriteTopic.root("c0ffee", 7)) == "W/c0ffee/battery/7/#"
    portal = PortalTopics("c0ffee")
    assert [portal.serial, portal.serial_read, portal.keepalive] == [
        "N/c0ffee/system/0/Serial",
        "R/c0ffee/system/0/Serial",
        "R/c0ffee/keepalive",
    ]
    assert portal.heartbeat == "N/c0ffee/heartbeat"
    assert portal.full_publish_completed == "N/c0ffee/full_publish_completed"
    assert EntityTopic("sensor", "a", "b").build() == "homeassistant/sensor/a/b/config"
    assert topics.device_config("a") == "homeassistant/device/a/config"
    assert topics.all_entities("a") == "homeassistant/+/a/+/config"


@pytest.mark.parametrize(
    ("topic", "counts"),
    [
        (BatteryTopics("virtual-battery", "cellar").set, True),
        (PortalTopics("c0ffee").keepalive, True),
        (PortalTopics("c0ffee").serial, True),
        (PortalTopics("c0ffee").serial_read, True),
        (WriteTopic("c0ffee", 1, "/Soc").build(), False),
        (topics.HOME_ASSISTANT_STATUS, False),
    ],
)
def test_where_each_message_counts(topic: str, counts: bool) -> None:
    assert topics.each_message_counts(topic) is counts


def test_the_letters() -> None:
    written, read, told = (kind("p", 1, "/Soc").build() for kind in VALUE_TOPICS)
    assert [topics.is_write(t) for t in (written, read, told)] == [True, False, False]
    assert [topics.is_read(t) for t in (written, read, told)] == [False, True, False]
    assert [topics.is_notification(t) for t in (written, read, told)] == [False, False, True]
    assert not topics.is_home_assistant("home")


# --- nobody else spells them ------------------------------------------------------------------

SPELLED = re.compile(
    r"^[WNR]/|^homeassistant/|/(set|state|settings|rejected|status|keepalive|heartbeat)$"
)
FILES = [
    *(file for file in sorted((ROOT / "bridge").rglob("*.py")) if file.name != "topics.py"),
    ROOT / "docker" / "gx" / "welcome.py",
    ROOT / "docker" / "gx" / "session.py",
]


def texts(file: Path) -> Iterator[str]:
    """Every text in a file, and every piece of a formatted one; no docstrings."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    words = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in words:
            yield node.value


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_a_topic_is_spelled_in_topics_only(file: Path) -> None:
    assert not {text for text in texts(file) if SPELLED.search(text)}
