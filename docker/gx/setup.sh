# Sourced by ./run: installs what is missing on this machine, and prints nothing if all is there.
#
# The programs and two Python modules (dbus, gi) come from the distribution, whose libraries they
# need. .venv/ holds the rest, in the exact versions of requirements.txt and requirements-dev.txt, and
# of requirements-mutants.txt.

python=.venv/bin/python
unset PYTHONHOME PYTHONPATH   # they were set for another Python
PYTHONNOUSERSITE=1            # packages in ~/.local may change at any time
PATH=$PATH:/usr/sbin:/sbin    # where Debian keeps mosquitto
export PYTHONNOUSERSITE PATH

# set_up [for-checks | for-tests | for-mutants]: checks need the development tools, tests some programs
# as well, mutants a tool of their own.
set_up() {
    kind=${1:-}
    is_set_up || {
        # The lock: a second terminal waits until the set-up of the first one is complete.
        # shellcheck disable=SC2094
        (
            ! command -v flock >/dev/null || flock 9
            is_set_up || { fetch_parts && make_venv; }
        ) 9<requirements.txt || exit
    }
}

is_set_up() {
    [ -z "$(missing programs)" ] && venv_has requirements.txt && venv_works || return
    [ -z "$kind" ] || venv_has requirements-dev.txt || return
    [ "$kind" != for-mutants ] || venv_has requirements-mutants.txt
}

# --- what comes from the distribution -----------------------------------------------------------

# Debian package | a command that succeeds if it is there | its name on other systems
programs() {
    cat <<'END'
dbus|command -v dbus-daemon && command -v dbus-send|dbus-daemon and dbus-send
mosquitto|command -v mosquitto|the MQTT broker mosquitto
mosquitto-clients|command -v mosquitto_pub && command -v mosquitto_sub|mosquitto_pub and mosquitto_sub
END
    [ -z "$kind" ] || cat <<'END'
openssl|command -v openssl|the command openssl
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

# missing TABLE [package | plain]: the parts of a table that are missing, one per line.
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
        echo "Some packages are missing, and installing them needs root rights."
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

# The interpreter for .venv/: new enough, and able to import the distribution's modules. Usually that
# is /usr/bin/python3, and not the python3 of a version manager that may come first on PATH.
find_python() {
    for candidate in /usr/bin/python3 python3; do
        "$candidate" -c '
import sys, venv, ensurepip, dbus
from gi.repository import GLib
sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo "$candidate" && return
    done
    return 1
}

# A list counts as installed if .venv/ holds its checksum, which is written as the last step of the
# installation: after an interruption there is none, after a change of the list it differs.
venv_has() {
    [ "$(cat ".venv/$1.sum" 2>/dev/null)" = "$(cksum <"$1")" ]
}

# After an upgrade of the distribution, .venv/ may have an interpreter of another version, or none.
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
    [ -z "$kind" ] || venv_has requirements-dev.txt || install_list requirements-dev.txt || return
    [ "$kind" != for-mutants ] || venv_has requirements-mutants.txt ||
        install_list requirements-mutants.txt
}

# --ignore-installed: otherwise pip would use a library of the distribution, which the next upgrade
# may change or remove.
install_list() {
    echo "Installing $1 (pip)" >&2
    "$python" -m pip install --quiet --disable-pip-version-check --no-input \
        --require-hashes --ignore-installed --requirement "$1" &&
        cksum <"$1" >".venv/$1.sum"
}
