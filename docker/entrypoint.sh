#!/bin/sh
# What a container runs; it runs without a container too:
#
#   docker/entrypoint.sh broker   mosquitto with $MOSQUITTO_CONFIG
#   docker/entrypoint.sh bridge   D-Bus, settings (kept in $DATA) and the bridge, against $BROKER
set -eu
CDPATH='' cd -- "$(dirname -- "$0")/.."
. docker/gx/setup.sh

case ${1:-bridge} in
    broker)
        exec mosquitto -c "${MOSQUITTO_CONFIG:-docker/mosquitto.conf}"
        ;;
    bridge)
        exec "$python" docker/gx/pocket.py --no-broker --directory "${DATA:-/data}" -- \
            "$python" -m bridge --config "${CONFIG:-config.yaml}" --broker "${BROKER:-127.0.0.1:1883}"
        ;;
    *)
        exec "$@"
        ;;
esac
