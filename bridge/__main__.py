"""The command line.

python3 -m bridge --config FILE [--broker HOST[:PORT]]      run
python3 -m bridge check FILE                                check a configuration, change nothing
python3 -m bridge watch --config FILE [--broker …]          a live view in the terminal
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from bridge import __version__
from bridge.core.configuration import BadConfiguration, Config

OK, BAD_CONFIGURATION = 0, 2


def main(arguments: list[str]) -> int:
    """Run a command. Answers the exit status; 2 for a bad configuration."""
    options = _parser().parse_args(arguments)
    from bridge.adapters import config as file  # after the parser: --help needs no PyYAML

    try:
        config = file.load(options.config)
        if options.command == "check":
            return _check(config)
        return _run(_with_broker(config, options.broker), options)
    except BadConfiguration as bad:
        print(f"{options.config} cannot be used:", *bad.problems, sep="\n  ", file=sys.stderr)
        return BAD_CONFIGURATION


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m bridge", description="A virtual battery for Venus OS, fed over MQTT."
    )
    parser.add_argument("--version", action="version", version=__version__)
    _add_common(parser, required=False)
    parser.set_defaults(command="run")
    commands = parser.add_subparsers(metavar="")
    check = commands.add_parser("check", help="check a configuration, show what it means")
    check.add_argument("config", metavar="FILE")
    check.set_defaults(command="check")
    watch = commands.add_parser("watch", help="a live view of what arrives and what is decided")
    _add_common(watch, required=True)
    watch.add_argument("--ident", help="which battery; the first one by default")
    watch.set_defaults(command="watch")
    return parser


def _add_common(parser: argparse.ArgumentParser, required: bool) -> None:
    parser.add_argument("--config", metavar="FILE", required=required, default="config.yaml")
    parser.add_argument(
        "--broker", metavar="HOST[:PORT]", help="another broker than the configuration's"
    )


def _with_broker(config: Config, broker: str | None) -> Config:
    if not broker:
        return config
    host, _, port = broker.rpartition(":") if ":" in broker else (broker, "", "")
    if port and not (port.isdigit() and 0 < int(port) < 65536):
        raise BadConfiguration([f"--broker: {port!r} is no port"])
    mqtt = replace(config.mqtt, host=host, port=int(port) if port else config.mqtt.port)
    return replace(config, mqtt=mqtt)


def _check(config: Config) -> int:
    from bridge.core.overview import overview

    print(overview(config))
    return OK


def _run(config: Config, options: argparse.Namespace) -> int:
    from bridge.adapters import mqtt_link

    mqtt = config.mqtt
    try:
        password = mqtt_link.read_password(mqtt.password_file) if mqtt.password_file else ""
        broker = mqtt_link.Broker(
            host=mqtt.host,
            port=mqtt.port,
            username=mqtt.username,
            password=password,
            tls=mqtt.tls,
            tls_ca=mqtt.tls_ca,
            tls_insecure=mqtt.tls_insecure,
        )
        mqtt_link.check(broker)
    except OSError as problem:
        raise BadConfiguration([f"mqtt: {problem.filename}: {problem.strerror}"]) from None
    if options.command == "watch":
        from bridge import watch

        return watch.main(config, broker, options.ident)
    from bridge import app

    return app.run(config, broker)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
