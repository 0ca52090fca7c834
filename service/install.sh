#!/bin/sh
# install.sh: installs the version of its own archive, or updates the installed version to it.
#
# Run it on the GX, as root, from the unpacked archive, in any folder. It may be run again at any
# time. After a power cut at any moment, the GX starts the old version or the new one:
#
# - A version gets a folder of its own, and is tried by links on the RAM disk. The GX would still
#   start the old version.
# - When the version has worked, and is completely on the disk, one link is renamed: from then on
#   the GX starts it.
set -eu
script=$(readlink -f "$0")
unpacked=${script%/service/install.sh}
# shellcheck source=service/common.sh
. "$unpacked/service/common.sh"

steady=${STEADY:-10}        # seconds that a new version must stay on D-Bus to count as good
patience=${PATIENCE:-60}    # seconds that it may take to get there

main() {
    takes_no_words "$#"
    check_device
    check_archive
    only_ours
    close_to_others
    version=$(version_of "$unpacked")
    release=$releases/$version-$(sha256sum <"$unpacked/SHA256SUMS" | cut -c1-8)
    old=$(readlink "$current" || true)
    [ -d "$old" ] || old=
    fresh_config=
    copied=

    echo "Installing $name $version"
    keep_copy
    keep_config
    check_version
    if runs_already; then
        echo "It runs already."
    else
        try_version
    fi
    make_current
    start_with_the_gx
    tidy
    closing_words
}

check_device() {
    on_a_gx_as_root
    velib_python >/dev/null || exit 1
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
        fail "This needs Venus OS 3.60 or newer: the Python here is older than 3.10, or missing."
}

check_archive() {
    if ! [ -s "$unpacked/SHA256SUMS" ]; then
        fail "$unpacked is not an unpacked archive: ./run package builds one."
    fi
    unknown=$(not_listed "$unpacked")
    if [ -n "$unknown" ]; then
        echo "These do not belong to the archive:" >&2
        echo "$unknown" >&2
        fail "Remove the folder $unpacked, and unpack it again."
    elif ! intact "$unpacked"; then
        fail "The unpacked archive is damaged: unpack it again."
    fi
}

# not_listed DIR: what is in DIR, or in its list, and is not a plain file with a checksum. Python
# loads some files without being asked, such as sitecustomize.py.
not_listed() (
    set +e    # grep that finds nothing fails
    cd "$1" || exit
    is_line='^[0-9a-f]{64}  \./[A-Za-z0-9._+/-]+$'
    goes_out='(/|^)\.\.(/|$)'
    grep -vE "$is_line" SHA256SUMS
    grep -E "$is_line" SHA256SUMS | cut -c67- | grep -E "$goes_out"
    find . -name '*[!A-Za-z0-9._+-]*'
    find . ! -type f ! -type d
    find . -type f \( -perm -4000 -o -perm -2000 \)
    # Python compiles the files of an installed version, and keeps the result beside them.
    case $1 in
        "$releases/.incoming") compiled= ;;
        "$releases/"*) compiled='/__pycache__/[^/]*\.pyc$' ;;
        *) compiled= ;;
    esac
    find . -type f | grep -vE "${compiled:-^$}" | grep -vxF "./SHA256SUMS
$(cut -c67- SHA256SUMS)"
    true
)

intact() {
    cmp -s "$1/SHA256SUMS" "$unpacked/SHA256SUMS" &&
        [ -z "$(not_listed "$1")" ] &&
        (cd "$1" && sha256sum -c SHA256SUMS) >/dev/null 2>&1
}

# The folder's name contains a checksum, so the same archive is copied once. A copy that was damaged
# later is not repaired in place, because it may be the one that runs.
keep_copy() {
    while [ -e "$release" ] && ! intact "$release"; do
        release=${release}x
    done
    [ ! -e "$release" ] || return 0
    make_room
    if ! cp -R "$unpacked/." "$releases/.incoming" || ! intact "$releases/.incoming"; then
        rm -rf "$releases/.incoming"
        fail "The copy to $releases failed. Is there space left on /data? Nothing was changed."
    fi
    mv "$releases/.incoming" "$release"
    copied=yes
}

make_room() {
    (mkdir -p "$releases" && rm -rf "$releases/.incoming" && mkdir "$releases/.incoming") \
        2>/dev/null ||
        fail "$releases cannot be written: is /data full or read-only? Nothing was changed."
    # What Python compiles needs as much again.
    needed=$(($(du -sk "$unpacked" | cut -f1) * 2 + 500))
    free=$(df -Pk "$releases" | awk 'NR == 2 { print $4 }')
    if [ "$free" -lt "$needed" ]; then
        rm -rf "$releases/.incoming"
        fail "Only $free kB are free on /data, $needed kB are needed. Nothing was changed."
    fi
}

# The configuration, and what was installed before, may be of another user or have other modes. This
# comes before anything is written: in an open folder, others could replace it.
close_to_others() {
    [ -d "$home" ] || return 0
    loose=$(find "$home" ! -type l \( -perm -020 -o -perm -002 -o ! -user 0 \))
    [ -n "$loose" ] || return 0
    echo "$loose" | while IFS= read -r each; do
        chown 0 "$each"
        chmod go-w "$each"
    done
    echo "Only root may change these from now on:"
    echo "$loose"
}

keep_config() {
    [ ! -e "$config" ] || return 0
    cp "$unpacked/config.yaml" "$config.new" || fail "$config cannot be written."
    sync
    mv "$config.new" "$config"
    fresh_config=yes
}

# Before anything is stopped: does it load on this firmware, and does it accept the configuration?
# As a side effect, Python stores the compiled files: that makes each start quicker.
check_version() {
    use_release "$release" || refuse 1
    if ! problem=$(python3 -c 'import bridge.app' 2>&1); then
        echo "This version does not load on this GX:" >&2
        echo "$problem" >&2
        refuse 1
    elif ! problem=$(python3 -m bridge check "$config" 2>&1); then
        echo "The configuration is not good for this version:" >&2
        echo "$problem" >&2
        refuse 2
    fi
}

refuse() {
    forget_version
    if [ -n "$old" ]; then
        echo "Nothing was changed: version $(version_of "$old") goes on." >&2
    else
        echo "Nothing was started. The configuration is $config." >&2
    fi
    exit "$1"
}

# A version that was there before this run stays: it may be the only one, or the way back.
forget_version() {
    [ -z "$copied" ] || rm -rf "$release"
}

runs_already() {
    [ "$release" = "$old" ] &&
        [ "$(readlink "$service/run")" = "$release/service/run" ] &&
        python3 "$release/service/healthcheck.py" >/dev/null
}

try_version() {
    trap 'give_up "Interrupted."' HUP INT TERM
    echo "Starting it, and checking that it stays on D-Bus"
    place_service "$release"
    start_again
    well "$patience" "$steady" || give_up "It did not get to D-Bus and stay there. Its log ends:"
    trap - HUP INT TERM
}

give_up() {
    set +e              # the terminal may be gone: go on after a failed echo
    trap '' HUP INT TERM
    echo "$1" >&2
    tail -n 12 "$log/current" >&2 || true
    if [ -z "$old" ]; then
        remove_service
        forget_version
        fail "The service was removed again. The whole log: $log/current"
    elif [ "$old" = "$release" ]; then
        fail "supervise goes on starting it. The whole log: $log/current"
    fi
    echo "Going back to version $(version_of "$old")" >&2
    place_service "$old"
    start_again
    if well "$patience" "$steady"; then
        outcome="runs as before"
    else
        outcome="does not get to D-Bus either"
    fi
    forget_version
    fail "Version $(version_of "$old") $outcome. The whole log: $log/current"
}

make_current() {
    [ "$release" != "$old" ] || return 0
    sync
    relink "$release" "$current"
    sync
}

start_with_the_gx() {
    if ! grep -qxF "$boot_line" "$rc_local" 2>/dev/null; then
        edit_rc_local with_boot_line
    elif [ ! -x "$rc_local" ]; then
        edit_rc_local cat "$rc_local"
    fi
}

# Before all other lines: these may exit, or wait for the network.
with_boot_line() {
    first=
    [ ! -s "$rc_local" ] || IFS= read -r first <"$rc_local" || true
    case $first in
        '#!'*)
            echo "$first"
            echo "$boot_line"
            tail -n +2 "$rc_local"
            ;;
        *)
            echo '#!/bin/sh'
            echo "$boot_line"
            [ ! -s "$rc_local" ] || cat "$rc_local"
            ;;
    esac
}

# The version before this one is kept: its own install.sh installs it again.
tidy() {
    rm -rf "$releases/.incoming"
    [ "$release" != "$old" ] || return 0
    for each in "$releases"/*-????????*; do
        if [ "$each" != "$release" ] && [ "$each" != "$old" ]; then
            rm -rf "$each"
        fi
    done
}

closing_words() {
    cat <<END

$name $version runs, and starts with the GX from now on, after a firmware update too.

  configuration   $config
  restart         sh $current/service/restart.sh   (when you have changed it)
  status          sh $current/service/status.sh
  log             tail -F $log/current | tai64nlocal
END
    [ -z "$old" ] || [ "$old" = "$release" ] ||
        echo "  way back        sh $old/service/install.sh   (version $(version_of "$old"))"
    cat <<'END'

In the menus of the GX, choose it in three places (Settings, System setup):

  Batteries, Battery monitor            the virtual battery
  Charge Control, DVCC                  on
  Charge Control, Controlling BMS       the virtual battery

Before Venus OS 3.70 the first is right under System setup, and DVCC right under Settings.
Until a client writes cell voltages, voltage and current, the battery allows no charging.
END
    if [ -n "$fresh_config" ]; then
        echo
        echo "The configuration is the example: 16 cells and so on. Make it yours before you"
        echo "choose the battery in the menus."
    fi
    if [ -e "$rc_local.disabled" ]; then
        echo
        echo "Note: $rc_local.disabled exists. Modifications were switched off on this GX, so the"
        echo "commands in that file do not run."
    fi
}

main "$@"
exit
