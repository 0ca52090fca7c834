#!/bin/sh
# apt.sh PACKAGE…: installs packages, as root, without starting the services that some of them
# contain: the pocket GX starts its own broker and its own D-Bus.
set -eu
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
log=$(mktemp)

clean_up() {
    rm -f "$log" ${own_policy:+"$own_policy"}
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# The policy says "do not start" only while this process runs: if it is killed before it can remove
# the file, other packages of the machine are not affected.
if [ ! -e "$policy" ]; then
    own_policy=$policy
    printf '#!/bin/sh\nkill -0 %s 2>/dev/null || exit 0\nexit 101\n' $$ >"$policy"
    chmod 755 "$policy"
fi

apt_get() {
    apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1 </dev/null || {
        cat "$log" >&2
        return 1
    }
}

apt_get update || echo "apt-get update failed: trying with the lists that are there" >&2
apt_get install --yes --no-install-recommends "$@"

# Also at the next boot it must not start: it would take port 1883.
case " $* " in
    *' mosquitto '*) update-rc.d mosquitto disable ;;
esac
