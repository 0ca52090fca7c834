#!/bin/sh
# apt.sh PACKAGE…: fetches packages, as root, and leaves the services that some of them bring off:
# the pocket GX starts a broker and a D-Bus of its own.
set -eu
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
log=$(mktemp)

clean_up() {
    rm -f "$log" ${own_policy:+"$own_policy"}
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# The answer "do not start" is given only while this process lives: should it be killed before it
# can remove the file, the machine's other packages are not affected.
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

# Off at the next boot too: it would take port 1883.
case " $* " in
    *' mosquitto '*) update-rc.d mosquitto disable ;;
esac
