# Sourced by the scripts beside it: where things are on a GX, and what more than one of them does.
# They set `release`, the folder of the version that they work on.
# shellcheck shell=sh disable=SC2034,SC2154

name=virtual-battery
home=/data/$name             # all that is ours: /data outlives a firmware update
releases=$home/releases      # each installed version in a folder of its own
current=$home/current        # a link to the version that starts with the GX
config=$home/config.yaml
log=/var/log/$name
rc_local=/data/rc.local      # run by the GX at the end of its start
boot_line="sh $current/service/boot.sh"
service=/service/$name       # on a RAM disk, made anew at each start of the GX

fail() {
    echo "$*" >&2
    exit 1
}

# version_of DIR: the version of the program that lies there.
version_of() {
    sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$1/bridge/__init__.py"
}

# use_release DIR: from here on, python3 -m bridge is the one that lies there.
use_release() {
    velib=$(velib_python) || return
    PYTHONPATH=$1:$1/ext:$velib
    PYTHONSAFEPATH=1     # the folder that we happen to be in is nobody's library
    PYTHONNOUSERSITE=1
    export PYTHONPATH PYTHONSAFEPATH PYTHONNOUSERSITE
}

# A GX has no velib_python of its own: each of its services carries a copy.
velib_python() {
    for copy in /opt/victronenergy/dbus-systemcalc-py/ext/velib_python \
        /opt/victronenergy/*/ext/velib_python; do
        if [ -f "$copy/vedbus.py" ] && [ -f "$copy/ve_utils.py" ]; then
            echo "$copy"
            return
        fi
    done
    echo "There is no velib_python under /opt/victronenergy. Is this a GX?" >&2
    return 1
}

# place_service DIR: what supervise runs from its next start on is the version that lies there.
#
# Only links point into /data: supervise keeps its state beside them, and may write it often.
place_service() {
    if [ -d "$service" ]; then
        relink "$1/service/run" "$service/run"
        relink "$1/service/log/run" "$service/log/run"
    else
        half=/service/.$name     # svscan passes over a name with a dot, so it sees all or nothing
        rm -rf "$half"
        mkdir -p "$half/log"
        ln -s "$1/service/run" "$half/run"
        ln -s "$1/service/log/run" "$half/log/run"
        mv "$half" "$service"
    fi
}

# relink TARGET LINK: at no moment is there no link.
relink() {
    rm -f "$2.new"
    ln -s "$1" "$2.new"
    mv -T "$2.new" "$2"
}

# start_again: what supervise runs is started afresh, or at last. Where svscan has not yet seen the
# service, it will start it soon.
start_again() {
    ending=$(process_id)
    rm -f "$service/starts"      # a person asks for it: no pause for what went wrong before
    if svok "$service"; then
        svc -tu "$service"
    fi
}

# well PATIENCE STEADY: whether what start_again started gets to D-Bus, and stays there.
well() {
    python3 "$release/service/healthcheck.py" --wait "$1" --steady "$2" --after "${ending:-0}"
}

process_id() {
    svstat "$service" 2>/dev/null | sed -n 's/.*: up (pid \([0-9]*\)).*/\1/p'
}

remove_service() {
    [ -d "$service" ] || return 0
    gone=/service/.$name.gone    # out of svscan's sight, else it starts again what we end
    rm -rf "$gone"
    mv "$service" "$gone"
    svc -dx "$gone" "$gone/log"
    seconds=0
    while svok "$gone" || svok "$gone/log"; do
        [ "$seconds" -ne 20 ] || svc -k "$gone" "$gone/log"
        [ "$seconds" -lt 30 ] || fail "The service does not end: see svstat $gone"
        sleep 1
        seconds=$((seconds + 1))
    done
    rm -rf "$gone"
}

# edit_rc_local COMMAND…: what the command makes of the present file becomes the new one, at once.
edit_rc_local() {
    "$@" >"$rc_local.new"
    chmod 755 "$rc_local.new"
    sync
    mv "$rc_local.new" "$rc_local"
    sync
}
