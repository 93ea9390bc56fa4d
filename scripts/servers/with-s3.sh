#!/usr/bin/env bash
# Runs a command with a throw-away S3 server on loopback, and stops the server afterwards.
#
#   with-s3.sh SERVER COMMAND [ARGUMENT...]      SERVER: ceph-rgw, moto, garage or s3s-fs
#
# The command finds, beside AWS_ENDPOINT, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION:
#   AWS_ALLOW_HTTP=true          the server speaks plain HTTP
#   LONGSHORE_S3=s3://BUCKET/x   a prefix in its bucket
#   LONGSHORE_S3_SCRIPT, LONGSHORE_S3_DIR   the server's own script and folder, for tests that kill it
#   LONGSHORE_REPLAY_PREFIX   how this script was called, for the line that repeats a failure
#
# Settings of the server's own script pass through. PORT (9200) is the first port that it takes.
. "$(dirname "$0")/with.sh"

[ $# -ge 2 ] || usage
replayed_as "$1"
with_server "$1" "${PORT:-9200}"
shift
# Whoever asks for several must not see a run over one of them pass.
for ((number = 2; number <= ${GATEWAYS:-1}; number++)); do
    endpoint=AWS_ENDPOINT_$number
    [ -n "${!endpoint:-}" ] || die "there is no gateway $number"
done
export AWS_ALLOW_HTTP=true LONGSHORE_S3="s3://$BUCKET/x"
export LONGSHORE_S3_SCRIPT="$SERVER_SCRIPT" LONGSHORE_S3_DIR="$SERVER_DIR"
"$@"
