#!/usr/bin/env bash
# Runs a command with a throw-away S3 server on loopback, and stops the server afterwards.
#
#   with-s3.sh SERVER COMMAND [ARGUMENT...]      SERVER: ceph-rgw, moto, garage or s3s-fs
#
# The command finds, beside AWS_ENDPOINT, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION:
#   AWS_ALLOW_HTTP=true          the server speaks plain HTTP
#   LONGSHORE_S3=s3://BUCKET/x   a prefix in its bucket
#   LONGSHORE_S3_SCRIPT, LONGSHORE_S3_DIR   the server's own script and folder, for tests that kill it
#
# Settings of the server's own script pass through. PORT (9200) is the first port that it takes.
set -euo pipefail

[ $# -ge 2 ] || { sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
script="$here/$1.sh"
[ -x "$script" ] || { echo "with-s3: no such server: $1" >&2; exit 2; }
shift

dir=$(mktemp -d)
finish() {
    local rc=$?
    "$script" stop "$dir" || rc=1
    rm -rf "$dir"
    exit $rc
}
trap finish EXIT
settings=$("$script" start "$dir" "${PORT:-9200}")
set -a
eval "$settings"
AWS_ALLOW_HTTP=true
LONGSHORE_S3="s3://$BUCKET/x"
LONGSHORE_S3_SCRIPT="$script"
LONGSHORE_S3_DIR="$dir"
set +a
"$@"
