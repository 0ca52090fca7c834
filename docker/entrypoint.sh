#!/bin/sh
# What a container runs; it runs without a container too:
#
#   docker/entrypoint.sh broker    mosquitto, closed: see docker/broker/start.py
#   docker/entrypoint.sh bridge    D-Bus, settings (kept in $DATA) and the bridge, against $BROKER
#   docker/entrypoint.sh health broker | bridge
#                                  whether that service does its work; it says why not
#   docker/entrypoint.sh COMMAND…  anything else
#
# DATA is a folder of the service's own. LOGIN is the folder in which the broker leaves the password
# of the bridge, and with TLS the certificate of its CA; without it, the configuration says how to log in.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")/.."
. docker/gx/setup.sh
BROKER=${BROKER:-127.0.0.1:1883}
CONFIG=${CONFIG:-config.yaml}
DATA=${DATA:-/data}
export BROKER CONFIG DATA

health() {
    PYTHONPATH=. "$python" docker/health.py "$@"
}

bridge() {
    if [ -n "${LOGIN:-}" ]; then
        health broker --wait "${PATIENCE:-60}" || exit   # it may still be making the password
        set -- --username bridge --password-file "$LOGIN/password"
        [ ! -e "$LOGIN/ca.crt" ] || set -- "$@" --tls-ca "$LOGIN/ca.crt"
    fi
    exec "$python" docker/gx/pocket.py --no-broker --directory "$DATA" -- \
        "$python" -m bridge --config "$CONFIG" --broker "$BROKER" "$@"
}

case ${1:-bridge} in
    broker) exec "$python" docker/broker/start.py ;;
    bridge) shift $#; bridge ;;
    health) shift; health "$@" ;;
    *) exec "$@" ;;
esac
