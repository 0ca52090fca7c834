# Sourced by the scripts in this folder: where things are on a GX, and the functions that several
# scripts use. Each script sets `release`, the folder of the version that it works on.
# shellcheck shell=sh disable=SC2034,SC2154

name=virtual-battery
home=/data/$name             # all our files: /data stays when the firmware is updated
releases=$home/releases      # each installed version in a folder of its own
current=$home/current        # a link to the version that starts with the GX
config=$home/config.yaml
log=/var/log/$name
rc_local=/data/rc.local      # run by the GX at the end of its start
boot_line="sh $current/service/boot.sh"
service=/service/$name       # on a RAM disk, made anew at each start of the GX
memory=/run/$name

umask 022                    # root runs these files: nobody else may change them

fail() {
    echo "$*" >&2
    exit 1
}

# takes_no_words COUNT: for scripts that have no options.
takes_no_words() {
    [ "$1" -eq 0 ] || fail "usage: $(basename "$script")    (it takes no options)"
}

# on_a_gx_as_root: ends the script on another machine, and for other users.
on_a_gx_as_root() {
    if [ ! -d /data ] || [ ! -d /service ] || ! type svc >/dev/null 2>&1; then
        fail "This is for a GX. Here /data, /service or svc is missing. Nothing was changed."
    fi
    [ "$(id -u)" = 0 ] || fail "Only root can do this: log in as root."
}

# only_ours: ends the script if something else has our names. What we replace or remove is our own.
only_ours() {
    for each in "$home" "$releases"; do
        if [ -L "$each" ] || { [ -e "$each" ] && [ ! -d "$each" ]; }; then
            not_ours "$each"
        fi
    done
    is_link_to_a_release "$current" || not_ours "$current"
    [ ! -e "$service" ] || is_link_to_a_release "$service/run" || not_ours "$service"
}

# is_link_to_a_release LINK: also where nothing is.
is_link_to_a_release() {
    case $(readlink "$1" || [ -e "$1" ] || echo "$releases/") in
        "$releases/"*) ;;
        *) return 1 ;;
    esac
}

not_ours() {
    fail "$1 is not of this program. Move it away first. Nothing was changed."
}

# version_of DIR: the version of the program in DIR.
version_of() {
    sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$1/bridge/__init__.py"
}

# use_release DIR: from here on, python3 -m bridge runs the program in DIR.
use_release() {
    velib=$(velib_python) || return
    PYTHONPATH=$1:$1/ext:$velib
    PYTHONSAFEPATH=1     # import nothing from the current folder
    PYTHONNOUSERSITE=1
    export PYTHONPATH PYTHONSAFEPATH PYTHONNOUSERSITE
}

# A GX has no velib_python for all services: each service has its own copy.
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

# place_service DIR: from its next start on, supervise runs the version in DIR.
#
# The folder is not on /data, only links in it point there: supervise often writes its state.
place_service() {
    if [ -d "$service" ]; then
        relink "$1/service/run" "$service/run"
        relink "$1/service/log/run" "$service/log/run"
    else
        half=/service/.$name     # svscan ignores names with a dot, so it sees only the whole folder
        rm -rf "$half"
        mkdir -p "$half/log"
        ln -s "$1/service/run" "$half/run"
        ln -s "$1/service/log/run" "$half/log/run"
        mv "$half" "$service"
    fi
}

# relink TARGET LINK: replaces a link in one step, so that the link is never missing.
relink() {
    rm -f "$2.new"
    ln -s "$1" "$2.new"
    mv -T "$2.new" "$2"
}

# start_again: restarts the service, or starts it. A service that svscan has not yet seen is started
# by svscan, within seconds.
start_again() {
    ending=$(process_id)
    rm -f "$service/starts"      # started by a person: no pause because of earlier failures
    if svok "$service"; then
        svc -tu "$service"
    fi
}

# well PATIENCE STEADY: whether the service gets to D-Bus after start_again, within PATIENCE seconds,
# and stays there for STEADY seconds.
well() {
    python3 "$release/service/healthcheck.py" --wait "$1" --steady "$2" --after "${ending:-0}"
}

process_id() {
    svstat "$service" 2>/dev/null | sed -n 's/.*: up (pid \([0-9]*\)).*/\1/p'
}

remove_service() {
    [ -d "$service" ] || return 0
    gone=/service/.$name.gone    # hidden from svscan, which would restart the service
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

# edit_rc_local COMMAND…: the command's output replaces the file, in one step.
edit_rc_local() {
    "$@" >"$rc_local.new"
    chmod 755 "$rc_local.new"
    sync
    mv "$rc_local.new" "$rc_local"
    sync
}
