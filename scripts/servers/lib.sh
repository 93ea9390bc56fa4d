# What the scripts of these servers share; sourced by them, not run.
#
# A script that sources it says in the comment at its head how it is used, defines `install_server`, `start`, `stop_all` and, where
# a server can be started again on its data, `restart`, `revive` and `kill_daemons NAME...`, and ends with `main "$@"`. They find
# DIR; `start` finds PORT. What a test reads goes to stdout, all else to stderr. A process runs in a group of its own; its id lies in DIR/NAME.pid, its output in DIR/NAME.log. It is
# known by a MARK in its command line, such as a path below DIR: the id alone may be another's by now.
set -euo pipefail

SCRIPT=$(basename "$0" .sh)

say() { echo "$SCRIPT: $*" >&2; }
die() { say "$*"; exit 1; }

# The comment at the script's head.
usage() {
    sed -n '2,/^[^#]/{s/^#$//p;s/^# //p}' "$0" >&2
    exit 2
}

# alive PIDFILE MARK: the process runs, and is ours.
alive() {
    local pid words
    [ -r "$1" ] && pid=$(cat "$1") || return 1
    { words=$(tr '\0' ' ' <"/proc/$pid/cmdline"); } 2>/dev/null || return 1
    [[ $words == *"$2"* ]]
}

# port_free PORT...: nothing may listen there yet, or its answers would pass for ours.
port_free() {
    local port
    for port in "$@"; do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then die "port $port is taken"; fi
    done
}

# launch NAME COMMAND...: runs it in the background.
launch() {
    local name=$1
    shift
    setsid "$@" >>"$DIR/$name.log" 2>&1 </dev/null &
    echo $! >"$DIR/$name.pid"
}

# await NAME MARK SECONDS COMMAND...: asks until the command succeeds. It fails when the process has ended, or the time is up.
await() {
    local name=$1 mark=$2 end=$((SECONDS + $3))
    shift 3
    until "$@"; do
        [ $SECONDS -lt $end ] || die "$name does not answer, see $DIR/$name.log"
        sleep 0.1
        alive "$DIR/$name.pid" "$mark" || die "$name died, see $DIR/$name.log"
    done
}

# answers URL: whatever it answers, and whoever signed its certificate.
answers() { curl -s -k -o /dev/null --max-time 5 "$1"; }

# gone PIDFILE MARK: it is, or is so within five seconds.
gone() {
    local tries=50
    while alive "$1" "$2"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.1
    done
}

# group_gone PID: its children may take a moment longer, and hold its port and its files.
group_gone() {
    local tries=50
    while pgrep -g "$1" -r D,R,S,T >/dev/null 2>&1 && [ $tries -gt 0 ]; do
        tries=$((tries - 1))
        sleep 0.1
    done
}

# signal NAME PIDFILE MARK: to the whole group; one that has just ended needs none.
signal() {
    local pid
    pid=$(cat "$2")
    kill -s "$1" -- "-$pid" 2>/dev/null || ! alive "$2" "$3" || die "no $1 to process $pid of $2"
}

# end PIDFILE MARK: asks it to end, then makes it end.
end() {
    if alive "$1" "$2"; then
        signal TERM "$1" "$2"
        gone "$1" "$2" || signal KILL "$1" "$2"
        gone "$1" "$2" || die "process $(cat "$1") of $1 does not end"
        group_gone "$(cat "$1")"
    fi
    rm -f "$1"
}

# kill_all MARK PIDFILE...: at once, without asking. It comes back when all are dead.
kill_all() {
    local mark=$1 file
    shift
    for file in "$@"; do
        ! alive "$file" "$mark" || signal KILL "$file" "$mark"
    done
    for file in "$@"; do
        gone "$file" "$mark" || die "process $(cat "$file") of $file does not end"
        group_gone "$(cat "$file")"
    done
}

# What was started ends with a script that fails.
stop_if_it_fails() {
    trap 'rc=$?; if [ $rc -ne 0 ]; then stop_all; fi' EXIT
}

main() {
    local command=${1:-}
    case "$command:$#" in
        install:1) install_server ;;
        start:3)
            mkdir -p "$2"
            DIR=$(cd "$2" && pwd)
            PORT=$3
            start
            ;;
        stop:2)
            [ -d "$2" ] || exit 0
            DIR=$(cd "$2" && pwd)
            stop_all
            ;;
        restart:2 | revive:2)
            declare -F "$command" >/dev/null || usage
            DIR=$(cd "$2" && pwd)
            "$command"
            ;;
        kill:*)
            [ $# -ge 3 ] && declare -F kill_daemons >/dev/null || usage
            DIR=$(cd "$2" && pwd)
            shift 2
            kill_daemons "$@"
            ;;
        *) usage ;;
    esac
}
