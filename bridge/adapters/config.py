"""The configuration file, by PyYAML."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from bridge.adapters import small_file
from bridge.adapters.broker import problems_with_files
from bridge.core.paths.configured import problems_with_paths
from bridge.core.settings.configuration import BadConfiguration, Config, parse
from bridge.core.text import quoted

MAX_SIZE = 256 * 1024
"""Bytes; ours: the example with all its comments has about 10 kB."""
MAX_NODES = 20_000
"""Values and keys, where each use of an alias counts; ours: a battery with all settings has 300."""

_TAG = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """YAML of text, numbers, on/off, lists and mappings. A key that is given twice is a mistake.

    PyYAML would use the last one. It also has dates, sets and others, of which some raise what is
    no YAMLError; here a date is text.
    """

    yaml_constructors: dict[str | None, Callable[..., Any]] = {}  # noqa: RUF012  as PyYAML has it
    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TAG + "timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _mapping(loader: _Loader, node: yaml.Node) -> dict[Any, Any]:
    if not isinstance(node, yaml.MappingNode):
        raise _mistake("is no mapping", node)
    seen = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if isinstance(key, (list, dict)):
            raise _mistake("a key must be a word", key_node)
        if key in seen:
            raise _mistake(f"{quoted(key)} is there twice", key_node)
        seen.add(key)
    mapping: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return mapping


def _whole_number(loader: _Loader, node: yaml.Node) -> int:
    number: int = loader.construct_yaml_int(node)
    if abs(number) >= 2**63:  # Python cannot print one of more than 4300 digits
        raise ValueError
    return number


def _scalar(construct: Callable[[Any, Any], Any]) -> Callable[[_Loader, yaml.Node], Any]:
    """The same constructor; whatever it raises for words that it cannot read is a mistake."""

    def checked(loader: _Loader, node: yaml.Node) -> Any:
        try:
            return construct(loader, node)
        except (ValueError, LookupError):
            kind = node.tag.removeprefix(_TAG)
            raise _mistake(f"{quoted(node.value)} cannot be read as {kind}", node) from None

    return checked


def _unknown(_loader: _Loader, node: yaml.Node) -> Any:
    kind = node.tag.removeprefix(_TAG)
    raise _mistake(f"{quoted(kind)}: only text, numbers, on/off, lists and mappings", node)


def _mistake(words: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=words, problem_mark=node.start_mark)


_CONSTRUCTORS = {
    _TAG + "null": _scalar(_Loader.construct_yaml_null),
    _TAG + "bool": _scalar(_Loader.construct_yaml_bool),
    _TAG + "int": _scalar(_whole_number),
    _TAG + "float": _scalar(_Loader.construct_yaml_float),
    _TAG + "str": _scalar(_Loader.construct_yaml_str),
    _TAG + "seq": _Loader.construct_yaml_seq,
    _TAG + "map": _mapping,
    None: _unknown,
}
for _name, _construct in _CONSTRUCTORS.items():
    _Loader.add_constructor(_name, _construct)


def load(file: str) -> Config:
    """Read and check a configuration file.

    Raises BadConfiguration with all mistakes. A file that is not YAML has only one.
    """
    try:
        raw = _parsed(small_file.decoded(small_file.read(file, MAX_SIZE)))
    except small_file.Unreadable as problem:
        raise BadConfiguration([f"{file}: {problem}"]) from None
    config = parse(raw)
    problems = problems_with_files(config.mqtt) + problems_with_paths(config)
    if problems:
        raise BadConfiguration(problems)
    return config


def _parsed(text: str) -> object:
    """What a text of YAML means. Raises Unreadable."""
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return None
        _count(root, {})
        return loader.construct_document(root)
    except yaml.reader.ReaderError as problem:
        line = text.count("\n", 0, problem.position) + 1
        words = f"line {line}: the character U+{problem.character:04X} is not allowed"
        raise small_file.Unreadable(words) from None
    except yaml.MarkedYAMLError as problem:
        raise small_file.Unreadable(_words(problem)) from None
    except RecursionError:
        raise small_file.Unreadable("is nested too deeply") from None


def _count(node: yaml.Node, counts: dict[yaml.Node, int]) -> int:
    """How many nodes a node stands for, itself and those below it. Raises YAMLError.

    An alias (*name) makes a few lines stand for more than any memory holds.
    """
    if node not in counts:
        counts[node] = MAX_NODES + 1  # so that one that contains itself is too much as well
        below: list[Any] = [] if isinstance(node, yaml.ScalarNode) else node.value
        parts = [part for one in below for part in (one if isinstance(one, tuple) else (one,))]
        counts[node] = 1 + sum(_count(part, counts) for part in parts)
    if counts[node] > MAX_NODES:
        raise _mistake(f"has more than {MAX_NODES} values with its aliases", node)
    return counts[node]


def _words(problem: yaml.MarkedYAMLError) -> str:
    mark = problem.problem_mark or problem.context_mark
    if not mark:
        return str(problem.problem)
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem.problem}"
