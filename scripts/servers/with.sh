# What the scripts that run a command with a server share; sourced by them, not run.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

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
