"""The configuration file, by PyYAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from bridge.adapters.broker import problems_with_files
from bridge.core.paths.configured import problems_with_paths
from bridge.core.settings.configuration import BadConfiguration, Config, parse


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """YAML, but a key that is given twice is a mistake. PyYAML would use the last one."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if isinstance(key, (list, dict)):
            raise _mistake("a key must be a word", key_node)
        if key in seen:
            raise _mistake(f"{key!r} is there twice", key_node)
        seen.add(key)
    mapping: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return mapping


def _mistake(words: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=words, problem_mark=node.start_mark)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load(file: str) -> Config:
    """Read and check a configuration file.

    Raises BadConfiguration with all mistakes. A file that is not YAML has only one.
    """
    try:
        text = Path(file).read_text(encoding="utf-8")
    except OSError as problem:
        raise BadConfiguration([f"{file}: {problem.strerror or problem}"]) from None
    except UnicodeDecodeError:
        raise BadConfiguration([f"{file}: is not UTF-8 text"]) from None
    try:
        raw = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as problem:
        raise BadConfiguration([f"{file}: {_words(problem)}"]) from None
    except RecursionError:
        raise BadConfiguration([f"{file}: is nested too deeply"]) from None
    config = parse(raw)
    problems = problems_with_files(config.mqtt) + problems_with_paths(config)
    if problems:
        raise BadConfiguration(problems)
    return config


def _words(problem: yaml.YAMLError) -> str:
    if isinstance(problem, yaml.MarkedYAMLError) and problem.problem_mark:
        mark = problem.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {problem.problem}"
    return str(problem)
