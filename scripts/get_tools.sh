#!/bin/sh
# Finds or gets the compiler arm-none-eabi-gcc and the emulator qemu-system-arm. In turn: what is installed already;
# apt-get install, when run as root; the same packages unpacked into .tools/, on Debian and Ubuntu without root; and at
# last, for the compiler alone, the Python package ziglang. Prints for each what was taken.
#
# An argument forces one way: system, local or pip.
set -eu

checkout=$(cd "$(dirname "$0")/.." && pwd)
tools=$checkout/.tools
packages="gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
# These must lie beside the programs, even where the system has them too.
companions="binutils-arm-none-eabi libnewlib-dev qemu-system-common qemu-system-data"
python=$checkout/.venv/bin/python
status=${DPKG_STATUS:-/var/lib/dpkg/status}
way=${1:-any}

tool_path() {
    if [ -x "$tools/bin/$1" ]; then
        echo "$tools/bin/$1"
    elif [ "$way" != local ] && [ "$way" != pip ]; then
        command -v "$1" || true
    fi
}

has_all() {
    [ -n "$(tool_path arm-none-eabi-gcc)" ] && [ -n "$(tool_path qemu-system-arm)" ]
}

wanted() {
    [ "$way" = any ] || [ "$way" = "$1" ]
}

get_system() {
    echo "installing $packages"
    apt-get update -qq || return 1
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
}

# apt-get with lists and downloads of its own, so that it needs no rights
local_apt() {
    apt-get -qq -o "Dir::State=$tools/apt/state" -o "Dir::Cache=$tools/apt/cache" -o "Dir::State::status=$status" \
        -o Debug::NoLocking=1 -o APT::Sandbox::User= "$@"
}

get_local() {
    echo "unpacking $packages into .tools/"
    mkdir -p "$tools/apt/state/lists/partial" "$tools/apt/cache/archives/partial" "$tools/apt/packages" "$tools/root" &&
        local_apt update || return 1
    # shellcheck disable=SC2086
    plan=$(local_apt --no-install-recommends -s install $packages) || return 1
    needed=$(echo "$plan" | sed -n 's/^Inst \([^ ]*\).*/\1/p' && echo "$companions" | tr ' ' '\n')
    # shellcheck disable=SC2086
    (cd "$tools/apt/packages" && local_apt download $(echo "$needed" | sort -u) >/dev/null) || return 1
    for package in "$tools"/apt/packages/*.deb; do
        dpkg -x "$package" "$tools/root" || return 1
    done
    rm -rf "$tools/apt"
    write_wrappers
}

# The programs look for their libraries and data in the places of an installed system; the wrappers say where they are.
write_wrappers() {
    mkdir -p "$tools/bin"
    libraries=$(find "$tools/root/usr/lib" "$tools/root/lib" -maxdepth 2 -type d -name '*-linux-gnu*' 2>/dev/null |
        paste -s -d : -)
    for program in "$tools"/root/usr/bin/arm-none-eabi-* "$tools/root/usr/bin/qemu-system-arm"; do
        name=$(basename "$program")
        options=
        [ "$name" != qemu-system-arm ] || options="-L '$tools/root/usr/share/qemu'"
        {
            echo '#!/bin/sh'
            echo "LD_LIBRARY_PATH='$libraries'\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
            echo 'export LD_LIBRARY_PATH'
            echo "exec '$program' $options \"\$@\""
        } >"$tools/bin/$name"
        chmod +x "$tools/bin/$name"
    done
}

get_pip() {
    "$python" -c 'import ziglang' 2>/dev/null || "$python" -m pip install --quiet ziglang
}

report() {
    compiler=$(tool_path arm-none-eabi-gcc)
    if [ -z "$compiler" ] && "$python" -c 'import ziglang' 2>/dev/null; then
        compiler="zig, from the Python package ziglang"
    fi
    emulator=$(tool_path qemu-system-arm)
    echo "compiler: ${compiler:-none; install the package gcc-arm-none-eabi}"
    echo "emulator: ${emulator:-none; install the package qemu-system-arm. What needs it is skipped}"
    [ -n "$compiler" ]
}

if ! has_all && wanted system && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    get_system || echo "apt-get could not install them" >&2
fi
if ! has_all && wanted local && command -v apt-get >/dev/null && command -v dpkg >/dev/null; then
    get_local || echo "the packages could not be unpacked" >&2
fi
if [ -z "$(tool_path arm-none-eabi-gcc)" ] && wanted pip; then
    get_pip || echo "pip could not install ziglang" >&2
fi
report
