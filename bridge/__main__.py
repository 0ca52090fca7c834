"""The command line.

python3 -m bridge --config FILE [--broker HOST[:PORT]]      runs the service
python3 -m bridge check FILE                                checks a configuration, changes nothing
python3 -m bridge watch --config FILE [--broker …]          shows a live view in the terminal
python3 -m bridge record --config FILE [--broker …] OUT     writes down what clients write
python3 -m bridge replay --config FILE RECORDING            how a configuration would have behaved
python3 -m bridge explain --config FILE [--plot PICTURE]    the limits that a configuration makes

Modules that only one command needs are imported there: a GX has little memory.
"""

from __future__ import annotations

import argparse
import errno
import io
import signal
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from bridge import __version__
from bridge.adapters.ending import StopSignals
from bridge.core.settings.address import split_address
from bridge.core.settings.configuration import BadConfiguration, BatteryConfig, Config, MqttConfig
from bridge.core.text import did_you_mean, sanitize_for_log

if TYPE_CHECKING:
    from bridge.adapters.broker import Broker
    from bridge.core.panel import Panel
    from bridge.tools import replay as replay_

OK, FAILED, BAD_CONFIGURATION = 0, 1, 2
INTERRUPTED = 128 + signal.SIGINT  # as a shell says it

LONGEST_PROBLEM = 400  # characters; ours: a few lines of a terminal

_WHERE_THE_LIBRARIES_ARE = (
    "On a GX, service/install.sh installs the libraries. Elsewhere ./run installs them for"
    " .venv/bin/python, and sets PYTHONPATH to docker/gx/velib, a stand-in for velib_python."
)


def main(arguments: list[str], stop: StopSignals | None = None) -> int:
    """Run a command. Answers the exit status: 0, 1 for a failure, 2 for a bad configuration.

    stop: listens for the signals that end the service; None where the caller has its own.

    Every mistake of a user ends in one line that says what to do; a traceback is a bug of ours.
    """
    _print_anything()
    options = argparse.Namespace(config="")
    try:
        options = _options(arguments)
        options.stop = stop or StopSignals()
        if stop and options.command == "run":  # first, because the rest of the start takes a while
            stop.listen()
        from bridge.adapters import config as file  # after the parser: --help needs no PyYAML

        status = _COMMANDS[options.command](file.load(options.config), options)
        print(end="", flush=True)  # here, where an error can still be told
        return status
    except BadConfiguration as bad:
        problems = (sanitize_for_log(problem, LONGEST_PROBLEM) for problem in bad.problems)
        print(f"{options.config} cannot be used:", *problems, sep="\n  ", file=sys.stderr)
        return BAD_CONFIGURATION
    except ModuleNotFoundError as missing:
        print(f"Python has no {missing.name} here. {_WHERE_THE_LIBRARIES_ARE}", file=sys.stderr)
        return FAILED
    except ImportError as broken:
        print(f"A library cannot be loaded: {broken}. {_WHERE_THE_LIBRARIES_ARE}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:  # the reader of the output, head or less, has ended
        sys.stderr.close()  # or Python complains about it once more at the end
        return OK
    except OSError as problem:
        print(_words(problem), file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _options(arguments: list[str]) -> argparse.Namespace:
    """The options. For a mistake, --help and --version the parser ends the program (SystemExit)."""
    try:
        return _parser().parse_args(arguments)
    except SystemExit:
        sys.stdout.flush()  # what --help prints, while an error can still be told
        raise


def _print_anything() -> None:
    """A terminal or a file that cannot show a letter gets a question mark instead."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _words(problem: OSError) -> str:
    if problem.errno in (errno.EMFILE, errno.ENFILE):
        return f"{problem.strerror}: this process needs more descriptors, see ulimit -n"
    return f"{problem.filename or 'the output'}: {problem.strerror or problem}"


class _Parser(argparse.ArgumentParser):
    """Names an option that it does not know, even where a command was expected after it."""

    def parse_known_args(  # type: ignore[override]
        self, args: list[str], namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        known = self._option_string_actions
        for word in args:
            name = word.split("=")[0]
            if word in _COMMANDS or word == "--":
                break
            if word.startswith("--") and not any(each.startswith(name) for each in known):
                self.error(f"there is no option {name}{did_you_mean(name, known)}")
        return super().parse_known_args(args, namespace)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python3 -m bridge", description="A virtual battery for Venus OS, fed over MQTT."
    )
    parser.add_argument("--version", action="version", version=__version__)
    _add_common(parser, required=False)
    commands = parser.add_subparsers(metavar="COMMAND", title="commands", dest="command")
    parser.set_defaults(command="run")
    check = commands.add_parser("check", help="check a configuration, show what it means")
    check.add_argument("config", metavar="FILE")
    watch = commands.add_parser("watch", help="a live view of what arrives and what is decided")
    _add_common(watch, required=True)
    watch.add_argument("--ident", help="which battery; the first one by default")
    explain = commands.add_parser("explain", help="the limits over voltage, temperature and SoC")
    explain.add_argument("--config", metavar="FILE", required=True)
    _add_offline(explain)
    record = commands.add_parser("record", help="write down what clients write, for replay")
    _add_common(record, required=True)
    record.add_argument("out", metavar="OUT", help="a file of JSON lines")
    replay = commands.add_parser("replay", help="a recording through this configuration")
    replay.add_argument("recording", metavar="RECORDING")
    replay.add_argument("--config", metavar="FILE", required=True)
    replay.add_argument(
        "--every", metavar="SECONDS", type=float, default=0.0, help="a line at least this often"
    )
    _add_offline(replay)
    return parser


def _add_common(parser: argparse.ArgumentParser, required: bool) -> None:
    parser.add_argument("--config", metavar="FILE", required=required, default="config.yaml")
    parser.add_argument(
        "--broker", metavar="HOST[:PORT]", help="use this broker, not the configuration's"
    )
    parser.add_argument("--username", metavar="NAME", help="log in to the broker as this user")
    parser.add_argument("--password-file", metavar="FILE", help="with this password")
    parser.add_argument("--tls-ca", metavar="FILE", help="use TLS; the broker's CA certificate")


def _add_offline(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ident", help="ident of the battery; default: the first one")
    parser.add_argument("--plot", metavar="PICTURE", help="draw a picture too: .svg, .png or .pdf")


def _with_broker(mqtt: MqttConfig, broker: str | None) -> MqttConfig:
    if not broker:
        return mqtt
    try:
        host, port = split_address(broker)
    except ValueError as problem:
        raise BadConfiguration([f"--broker: {problem}"]) from None
    return replace(mqtt, host=host, port=port or mqtt.port)


def _with_login(mqtt: MqttConfig, options: argparse.Namespace) -> MqttConfig:
    login = replace(
        mqtt,
        username=options.username or mqtt.username,
        password_file=options.password_file or mqtt.password_file,
        tls=bool(options.tls_ca) or mqtt.tls,
        tls_ca=options.tls_ca or mqtt.tls_ca,
    )
    if login.password_file and not login.username:
        raise BadConfiguration(["--password-file: needs --username, or mqtt.username"])
    return login


def _check(config: Config, _options: argparse.Namespace) -> int:
    from bridge.tools.overview import overview

    print(overview(config))
    return OK


def _battery(config: Config, ident: str | None) -> BatteryConfig:
    """The battery of this ident, or the first one. Raises BadConfiguration."""
    named = [battery for battery in config.batteries if ident in (None, battery.ident)]
    if not named:
        known = ", ".join(battery.ident for battery in config.batteries)
        raise BadConfiguration([f"--ident: there is no battery {ident!r}, only {known}"])
    return named[0]


def _explain(config: Config, options: argparse.Namespace) -> int:
    from bridge.tools import explain

    battery = _battery(config, options.ident)
    print(explain.explanation(battery))
    return _plot(explain.panels(battery), f"limits of {battery.name}", options.plot)


def _replay(config: Config, options: argparse.Namespace) -> int:
    from bridge.tools import replay
    from bridge.tools.recording import BadRecording

    player = replay.Replay(_battery(config, options.ident), config)
    moments = []

    def noted(lines: Iterable[str]) -> Iterator[replay_.Moment]:
        for moment in player.run(lines):
            if options.plot:
                moments.append(moment)
            yield moment

    try:
        with open(options.recording, encoding="utf-8") as lines:  # noqa: PTH123  or /dev/stdin
            for line in replay.table(noted(lines), options.every):
                print(line)
    except (OSError, UnicodeDecodeError, BadRecording) as problem:
        words = getattr(problem, "strerror", None) or problem
        print(f"{options.recording}: {words}", file=sys.stderr)
        return FAILED
    for words, count in player.refused.items():
        print(f"refused {count} times: {words}", file=sys.stderr)
    if player.others:
        print(f"{player.others} messages were for other batteries", file=sys.stderr)
    return _plot(replay.panels(moments), f"{options.recording}", options.plot)


def _plot(panels: list[Panel], title: str, file: str | None) -> int:
    from bridge.adapters import plot

    if file is None:
        return OK
    try:
        plot.draw(panels, title, file)
    except plot.CannotPlot as problem:
        print(problem, file=sys.stderr)
        return FAILED
    return OK


def _run(config: Config, options: argparse.Namespace) -> int:
    from bridge.adapters import health

    broker = _broker(config, options)
    health.require_descriptors(len(config.batteries))
    from bridge import app

    return app.run(config, broker, options.stop)


def _watch(config: Config, options: argparse.Namespace) -> int:
    broker = _broker(config, options)
    from bridge.tools import watch

    return watch.main(config, broker, options.ident)


def _record(config: Config, options: argparse.Namespace) -> int:
    broker = _broker(config, options)
    from bridge.tools import record

    try:
        return record.main(config, broker, options.out)
    except OSError as problem:
        print(f"{options.out}: {problem.strerror or problem}", file=sys.stderr)
        return FAILED


def _broker(config: Config, options: argparse.Namespace) -> Broker:
    """The broker of the command line and the configuration. Raises BadConfiguration."""
    from bridge.adapters.broker import broker_of

    return broker_of(_with_login(_with_broker(config.mqtt, options.broker), options))


_COMMANDS = {
    "run": _run,
    "check": _check,
    "watch": _watch,
    "record": _record,
    "replay": _replay,
    "explain": _explain,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], StopSignals()))
