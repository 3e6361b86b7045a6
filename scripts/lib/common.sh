# Shared by the bash scripts: source it, do not run it.
# shellcheck shell=bash

program=$(basename "$0")
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Downloads are shared by all build folders of a checkout.
cache=${WEFT_CACHE:-$root/build/cache}

# step TEXT: one line of progress.
step() { printf '%s: %s\n' "$program" "$*"; }

die() {
    printf '%s: %s\n' "$program" "$*" >&2
    exit 1
}

# usage: the comment at the top of the calling script.
usage() { sed -n '2,/^[^#]/{s/^# \{0,1\}//;t print;b;:print;p}' "$0"; }

# lock_cache NAME: two scripts that fill the same folder of the cache take turns; held until the script exits.
lock_cache() {
    mkdir -p "$cache"
    exec {cache_lock}>"$cache/.$1.lock"
    flock "$cache_lock"
}

# debian ARGUMENTS...: the archive helper with this cache; $mirror, if set, replaces the machine's mirror.
debian() {
    python3 -B "$root/scripts/lib/debian.py" --cache "$cache" ${mirror:+--mirror "$mirror"} "$@"
}

# need TOOL...: says which package script to run instead of failing half way with "command not found".
need() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || die "'$tool' is missing; run scripts/deps first"
    done
}

# seconds_since START: START is a value of $EPOCHREALTIME; prints seconds with one decimal.
# The decimal point of EPOCHREALTIME follows the locale.
seconds_since() {
    local now=${EPOCHREALTIME//[!0-9]/} start=${1//[!0-9]/}
    local tenths=$(((now - start + 50000) / 100000))
    printf '%d.%d' $((tenths / 10)) $((tenths % 10))
}
