#!/bin/sh
# restart.sh: restarts the service, to use a changed configuration. With a bad configuration nothing
# is restarted, and the service goes on as it is.
set -eu
script=$(readlink -f "$0")
release=${script%/service/restart.sh}
# shellcheck source=service/common.sh
. "$release/service/common.sh"

takes_no_words "$#"
[ -d "$service" ] || fail "The service is not there: run $release/service/install.sh first."
use_release "$release"
if ! problem=$(python3 -m bridge check "$config" 2>&1); then
    echo "$problem" >&2
    echo "Not restarted: the service goes on with the configuration that it has." >&2
    exit 2
fi
start_again
if ! well 60 "${STEADY:-3}"; then
    tail -n 12 "$log/current" >&2 || true
    fail "It is not on D-Bus. The whole log: $log/current"
fi
echo "Restarted:"
python3 "$release/service/healthcheck.py"
