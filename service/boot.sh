#!/bin/sh
# Called by /data/rc.local: the service's folder is on a RAM disk, so it is made at each start.
set -eu
script=$(readlink -f "$0")
release=${script%/service/boot.sh}
# shellcheck source=service/common.sh
. "$release/service/common.sh"
takes_no_words "$#"
place_service "$release"
