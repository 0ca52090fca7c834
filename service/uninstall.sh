#!/bin/sh
# uninstall.sh [--all]: takes the service away, and leaves the configuration. With --all the
# configuration goes too, and what the GX's settings keep of the battery: instance, name, limits.
set -eu
script=$(readlink -f "$0")
release=${script%/service/uninstall.sh}
# shellcheck source=service/common.sh
. "$release/service/common.sh"

main() {
    all=
    case ${1-} in
        '') ;;
        --all) all=yes ;;
        *) fail "usage: uninstall.sh [--all]" ;;
    esac
    [ -z "$all" ] || forget_settings
    not_with_the_gx
    remove_service
    remove_files
    closing_words
}

forget_settings() {
    use_release "$release"
    python3 -B "$release/service/forget.py" "$config" ||
        echo "The settings that the GX keeps were not removed; they do no harm." >&2
}

# First of all: whatever happens next, the service does not come back with the next start.
not_with_the_gx() {
    grep -qxF "$boot_line" "$rc_local" 2>/dev/null || return 0
    edit_rc_local without_boot_line
    # Nothing in it but the line that names the interpreter: the file was ours.
    grep -qv '^#!\|^[[:space:]]*$' "$rc_local" || rm "$rc_local"
}

# shellcheck disable=SC2317  # called by name
without_boot_line() {
    grep -vxF "$boot_line" "$rc_local" || true
}

# The link goes before what it names. This script goes as well: the shell has read it by now.
remove_files() {
    rm -f "$current" "$current.new"
    rm -rf "$releases" "$log"
    [ -z "$all" ] || rm -f "$config"
    rmdir "$home" 2>/dev/null || true
    sync
}

closing_words() {
    echo
    if [ -e "$config" ]; then
        echo "$name is uninstalled. $config stays; --all would have removed it."
    elif [ -e "$home" ]; then
        echo "$name is uninstalled. What is left in $home was not put there by it."
    else
        echo "$name is uninstalled."
    fi
    cat <<'END'

If the virtual battery was the controlling BMS, the system now misses it: "BMS lost". Solar chargers
stop with error #67, and inverters may switch off, because a system that once had a BMS does not go
on without one by itself. The ways out:

- Another BMS takes over: Settings, System setup, Charge Control, Controlling BMS.
- The battery has no BMS from now on. Set each charger and inverter to what the battery needs, then
  tell them that nobody controls them any more:
    solar chargers   the charger's page in the GX, Networked operation, BMS control: reset;
                     or in VictronConnect
    Multi, Quattro   the device's page in the GX, Advanced, Restart VE.Bus system
    DC-DC chargers,  the device's page in the GX, Settings, BMS control: reset
    alternators
- It was a mistake: install it again, with its configuration, and control returns by itself.
END
}

main "$@"
exit
