# Sourced by ./run: fetches what this machine lacks, and says nothing when it lacks nothing.
#
# The distribution gives the programs and the two Python modules that need its libraries (dbus, gi);
# .venv/ holds the rest, in the exact versions of requirements.txt and requirements-dev.txt.

python=.venv/bin/python
unset PYTHONHOME PYTHONPATH   # whatever a shell exports was meant for another Python
PYTHONNOUSERSITE=1            # and ~/.local may change behind our back
PATH=$PATH:/usr/sbin:/sbin    # where Debian keeps mosquitto
export PYTHONNOUSERSITE PATH

# set_up [for-checks | for-tests]: checks need the development tools, tests some programs as well.
set_up() {
    kind=${1:-}
    is_set_up || {
        # The lock: a second terminal waits for the first one's set-up instead of spoiling it.
        # shellcheck disable=SC2094
        (
            ! command -v flock >/dev/null || flock 9
            is_set_up || { fetch_parts && make_venv; }
        ) 9<requirements.txt || exit
    }
}

is_set_up() {
    [ -z "$(missing programs)" ] && venv_has requirements.txt && venv_works || return
    [ -z "$kind" ] || venv_has requirements-dev.txt
}

# --- what the distribution gives ----------------------------------------------------------------

# Debian package | how to see that it is there | its name elsewhere
programs() {
    cat <<'END'
dbus|command -v dbus-daemon && command -v dbus-send|dbus-daemon and dbus-send
mosquitto|command -v mosquitto|the MQTT broker mosquitto
mosquitto-clients|command -v mosquitto_pub && command -v mosquitto_sub|mosquitto_pub and mosquitto_sub
END
    [ "$kind" != for-tests ] || cat <<'END'
daemontools|command -v svscan && command -v supervise|daemontools
busybox|command -v busybox|busybox
iproute2|command -v ip|the command ip (iproute2)
END
}

python_parts() {
    cat <<'END'
python3-venv|python_runs 'import venv, ensurepip'|Python 3.10 or newer with venv and ensurepip
python3-dbus|python_runs 'import dbus'|the Python module dbus (dbus-python)
python3-gi|python_runs 'from gi.repository import GLib'|the Python module gi (PyGObject)
END
}

python_runs() {
    /usr/bin/python3 -c "$1"
}

# missing TABLE [package | plain]: the parts of a table that are not there, one a line.
missing() {
    "$1" | while IFS='|' read -r package test plain; do
        eval "$test" >/dev/null 2>&1 || case ${2:-package} in
            package) echo "$package" ;;
            plain) echo "$plain" ;;
        esac
    done
}

all_missing() {
    missing programs "$1"
    find_python >/dev/null || missing python_parts "$1"
}

fetch_parts() {
    packages=$(all_missing package | tr '\n' ' ' | sed 's/ $//')
    [ -n "$packages" ] || return 0
    if ! command -v apt-get >/dev/null; then
        echo "Missing on this system, which has no apt-get to fetch it:"
        all_missing plain | sed 's/^/  - /'
        return 1
    elif [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif sudo -n true 2>/dev/null; then
        as_root='sudo -n'
    else
        echo "Some packages are missing, and fetching them takes root rights."
        if command -v sudo >/dev/null; then
            sudo='sudo '
            echo "Paste this line, then start again:"
        else
            sudo=
            echo "Paste this line into a shell of root, then start again:"
        fi
        echo
        echo "    ${sudo}apt-get update && ${sudo}apt-get install --yes --no-install-recommends $packages"
        echo
        return 1
    fi >&2
    echo "Fetching $packages (apt-get)" >&2
    # shellcheck disable=SC2086  # both are lists of words
    $as_root sh docker/gx/apt.sh $packages
}

# --- what .venv/ holds --------------------------------------------------------------------------

# The interpreter for .venv/: new enough, and able to see the distribution's modules. That is mostly
# /usr/bin/python3, and mostly not the python3 of a version manager that comes first on PATH.
find_python() {
    for candidate in /usr/bin/python3 python3; do
        "$candidate" -c '
import sys, venv, ensurepip, dbus
from gi.repository import GLib
sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo "$candidate" && return
    done
    return 1
}

# A list counts as installed when its checksum was written down, which is the last step of
# installing it: an interrupted .venv/ has none, one for an older list has another.
venv_has() {
    [ "$(cat ".venv/$1.sum" 2>/dev/null)" = "$(cksum <"$1")" ]
}

# An upgraded distribution can leave .venv/ with an interpreter of another version, or with none.
venv_works() {
    "$python" -c 'import dbus, gi, paho.mqtt, yaml' 2>/dev/null
}

make_venv() {
    if ! { venv_has requirements.txt && venv_works; }; then
        interpreter=$(find_python) || {
            echo "No Python 3.10 or newer here that can import dbus and gi (dbus-python, PyGObject)." >&2
            return 1
        }
        echo "Making .venv/" >&2
        rm -rf .venv && "$interpreter" -m venv --system-site-packages .venv || return
        install_list requirements.txt || return
    fi
    [ -z "$kind" ] || venv_has requirements-dev.txt || install_list requirements-dev.txt
}

# --ignore-installed: a library that the distribution has too would otherwise stay outside .venv/,
# and change or vanish with the distribution's next upgrade.
install_list() {
    echo "Installing $1 (pip)" >&2
    "$python" -m pip install --quiet --disable-pip-version-check --no-input \
        --require-hashes --ignore-installed --requirement "$1" &&
        cksum <"$1" >".venv/$1.sum"
}
