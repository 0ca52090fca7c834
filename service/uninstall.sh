#!/bin/sh
# uninstall.sh [--all]: removes the service, and leaves the configuration and the installed version,
# so that its own uninstall.sh can remove the rest later. With --all they are removed too, and what
# the GX's settings service keeps of the battery: instance, name and settings.
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
    [ "$#" -le 1 ] || fail "usage: uninstall.sh [--all]"
    on_a_gx_as_root
    only_ours
    is_there || fail "$name is not installed here. Nothing was changed."
    kept=$(version_to_keep)
    [ -z "$all" ] || forget_settings
    not_with_the_gx
    remove_service
    remove_files
    closing_words
}

# Anything of ours: also what an earlier run has left.
is_there() {
    [ -e "$home" ] || [ -e "$service" ] || grep -qxF "$boot_line" "$rc_local" 2>/dev/null
}

# The installed version. This script may be of another one, or of an unpacked archive. An earlier run
# that has removed the link has left only this version.
version_to_keep() {
    for each in "$(readlink "$current")" "$release" "$releases"/*; do
        case $each in
            "$releases/"*) [ ! -d "$each" ] || { echo "$each"; return; } ;;
        esac
    done
    echo "$release"
}

forget_settings() {
    use_release "$release"
    python3 -B "$release/service/forget.py" "$config" ||
        echo "The battery's settings on the GX were not removed. They have no effect." >&2
}

# This comes first: if a later step fails, the GX does not start the service again.
not_with_the_gx() {
    grep -qxF "$boot_line" "$rc_local" 2>/dev/null || return 0
    edit_rc_local without_boot_line
    # If only the line with the interpreter is left, the file was made by us.
    grep -qv '^#!\|^[[:space:]]*$' "$rc_local" || rm "$rc_local"
}

# shellcheck disable=SC2317  # called by name
without_boot_line() {
    grep -vxF "$boot_line" "$rc_local" || true
}

# The link names the version to keep: it is removed after the other versions, and before its target.
# This script may be removed too: the shell has read all of it.
remove_files() {
    [ -n "$all" ] || remove_other_releases
    rm -f "$current" "$current.new"
    if [ -n "$all" ]; then
        rm -rf "$releases" "$memory"
        rm -f "$config"
    fi
    rm -rf "$log"
    rmdir "$home" 2>/dev/null || true
    sync
}

remove_other_releases() {
    for each in "$releases"/*; do
        [ "$each" = "$kept" ] || rm -rf "$each"
    done
    rm -rf "$releases/.incoming"
}

closing_words() {
    echo
    if [ -z "$all" ]; then
        echo "$name is uninstalled: it does not run, and does not start with the GX. These stay:"
        echo
        echo "  configuration   $config"
        echo "  the program     $kept"
        echo
        echo "To remove them too, with the battery's name and settings on the GX:"
        echo "  sh $kept/service/uninstall.sh --all"
    elif [ -e "$home" ]; then
        echo "$name is uninstalled. The files that are left in $home are not its own."
    else
        echo "$name is uninstalled."
    fi
    cat <<'END'

If the virtual battery was the controlling BMS, the system now misses it: "BMS lost". Solar chargers
stop with error #67, and inverters may switch off, because a system that once had a BMS does not go
on without one by itself. You can do one of these:

- Another BMS takes over: Settings, System setup, Charge Control, Controlling BMS.
- The battery has no BMS from now on. Set each charger and inverter to what the battery needs, then
  reset their BMS control:
    solar chargers   the charger's page in the GX, Networked operation, BMS control: reset;
                     or in VictronConnect
    Multi, Quattro   the device's page in the GX, Advanced, Restart VE.Bus system
    DC-DC chargers,  the device's page in the GX, Settings, BMS control: reset
    alternators
- It was a mistake: install it again, with its configuration, and control returns by itself.
END
    [ -n "$all" ] || echo "    sh $kept/service/install.sh"
}

main "$@"
exit
