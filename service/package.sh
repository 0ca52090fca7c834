#!/bin/sh
# package.sh [DIR]: builds virtual-battery-<version>.tar.gz and its checksum, in DIR or dist/.
#
# The archive holds everything that a GX does not have: this program, and the two libraries that it
# needs, in the versions of requirements.txt. Two builds of the same files are equal in every byte.
set -eu
umask 022
LC_ALL=C
export LC_ALL
repository=$(dirname "$(dirname "$(readlink -f "$0")")")
mkdir -p "${1:-$repository/dist}"
target=$(cd "${1:-$repository/dist}" && pwd)
cd "$repository"
. service/common.sh
python=${PYTHON:-.venv/bin/python}

main() {
    version=$(version_of .)
    wheels=$repository/build/wheels
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    folder=$name-$version
    tree=$work/$folder

    mkdir "$tree"
    add_program
    fetch_libraries
    add_libraries
    add_checksums
    pack
    echo "$target/$folder.tar.gz"
}

add_program() {
    for file in $(find bridge -name '*.py') config.yaml CHANGELOG.md LICENSE \
        service/README.md service/run service/log/run service/*.py service/common.sh \
        service/boot.sh service/install.sh service/restart.sh service/status.sh \
        service/uninstall.sh; do
        mkdir -p "$tree/$(dirname "$file")"
        cp "$file" "$tree/$file"
    done
}

# Always the wheels of one platform, so that every build gets the same files. Only their pure Python
# is used, which is the same for all platforms. Wheels that were downloaded once are used again.
fetch_libraries() {
    set -- --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
        --platform manylinux2014_x86_64 --implementation cp --python-version 3.12 --abi cp312 \
        --requirement requirements.txt --dest "$work/wheels"
    mkdir -p "$wheels"
    "$python" -m pip download --no-index --find-links "$wheels" "$@" 2>/dev/null ||
        "$python" -m pip download "$@"
    cp "$work"/wheels/*.whl "$wheels"
}

# PyYAML's compiled part fits only one kind of processor. Without it PyYAML uses its Python part.
add_libraries() {
    for wheel in "$work"/wheels/*.whl; do
        "$python" -m zipfile --extract "$wheel" "$tree/ext"
    done
    rm -r "$tree/ext/_yaml"
    find "$tree/ext" \( -name '*.so' -o -name RECORD -o -name WHEEL -o -name top_level.txt \) \
        -exec rm {} +
}

add_checksums() {
    find "$tree" -type f -exec chmod 644 {} +
    find "$tree" -type d -exec chmod 755 {} +
    chmod 755 "$tree/service/run" "$tree/service/log/run" "$tree"/service/*.sh
    chmod 644 "$tree/service/common.sh"
    (cd "$tree" && find . -type f | sort | xargs sha256sum) >"$work/SHA256SUMS"
    mv "$work/SHA256SUMS" "$tree"
}

pack() {
    time=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
    tar -C "$work" --create --format ustar --sort name --mtime "@$time" \
        --owner 0 --group 0 --numeric-owner "$folder" | gzip -9n >"$work/$folder.tar.gz"
    mv "$work/$folder.tar.gz" "$target"
    (cd "$target" && sha256sum "$folder.tar.gz" >"$folder.tar.gz.sha256")
}

main
