# What the scripts that run a command with a server share; sourced by them, not run.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# replayed_as SERVER: how this script was called, for the line that repeats a failure. With all settings that the scripts read or the
# tests; but not size and seed, which the line has, nor what must be shown.
replayed_as() {
    local name words=
    local folder="$(dirname "$0")"
    for name in $(grep -oshE '\$\{[A-Z][A-Z0-9_]*:?-' "$0" "$folder/$1.sh" | tr -d '${:-' | sort -u) ${!LONGSHORE_@}; do
        case "$name" in
            LONGSHORE_SIZE | LONGSHORE_SEED | LONGSHORE_REQUIRE | LONGSHORE_REPLAY_PREFIX) ;;
            *) [ -z "${!name+x}" ] || words+="$name=$(printf %q "${!name}") " ;;
        esac
    done
    export LONGSHORE_REPLAY_PREFIX="$words$(printf %q "$0") $1"
}

finish() {
    local rc=$?
    ! declare -F put_away >/dev/null || put_away || rc=1
    "$SERVER_SCRIPT" stop "$SERVER_DIR" || rc=1
    rm -rf "$SERVER_DIR"
    exit $rc
}

# with_server SERVER PORT: starts it in a new folder, exports what it prints, and stops it when the script ends.
with_server() {
    local settings
    SERVER_SCRIPT="$(cd "$(dirname "$0")" && pwd)/$1.sh"
    [ -x "$SERVER_SCRIPT" ] || die "no such server: $1"
    SERVER_DIR=$(mktemp -d)
    # A server that gives up its rights reaches its files too.
    chmod 755 "$SERVER_DIR"
    trap finish EXIT
    settings=$("$SERVER_SCRIPT" start "$SERVER_DIR" "$2")
    set -a
    eval "$settings"
    set +a
}
