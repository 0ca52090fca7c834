#!/bin/sh
# status.sh: shows the state of the service. Exit status 0 when it is on D-Bus, else 1.
set -eu
script=$(readlink -f "$0")
release=${script%/service/status.sh}
# shellcheck source=service/common.sh
. "$release/service/common.sh"

main() {
    takes_no_words "$#"
    status=0
    on_bus=$(python3 "$release/service/healthcheck.py" 2>&1) || status=1
    fact version "$(version_of "$release")"
    fact service "$(svstat "$service" 2>&1 | sed 's/^[^:]*: //')"
    [ -z "$(pause)" ] || fact '' "$(pause)"
    fact 'on D-Bus' "${on_bus:-no}"
    fact memory "$(memory)"
    fact 'starts with GX' "$(starts_with_the_gx)"
    fact configuration "$(configuration)"
    fact 'last log lines' "$(tail -n 8 "$log/current" 2>/dev/null | tai64nlocal)"
    return "$status"
}

# fact WHAT TEXT: prints a text; all its lines begin in the same column.
fact() {
    printf '%-16s%s\n' "$1" "$2" | sed '2,$s/^/                /'
}

pause() {
    read -r _ quick paused 2>/dev/null <"$service/starts" || return 0
    [ -z "$paused" ] || echo "it ended soon after each of the last $quick starts, and waits"
}

memory() {
    process=$(process_id)
    sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1 kB/p' "/proc/${process:-none}/status" 2>/dev/null ||
        echo -
}

starts_with_the_gx() {
    if [ -x "$rc_local" ] && grep -qxF "$boot_line" "$rc_local" && [ -e "$current" ]; then
        echo yes
    else
        echo "no: run $release/service/install.sh again"
    fi
}

configuration() {
    if use_release "$release" && python3 -B -m bridge check "$config" >/dev/null; then
        echo "$config, good"
    fi 2>&1
}

main "$@"
