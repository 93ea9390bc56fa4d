#!/usr/bin/env bash
# Throw-away WsgiDAV on cheroot on loopback, for tests.
#
#   wsgidav.sh install           install it with pip into a virtual environment, $WSGIDAV_ROOT
#   wsgidav.sh start DIR PORT    serve DIR/data on 127.0.0.1:PORT
#   wsgidav.sh stop DIR          stop it; the files stay
#   wsgidav.sh restart DIR       start again on the files that are there
#   wsgidav.sh kill DIR server   kill it with SIGKILL
#
# start prints WEBDAV_URL, WEBDAV_USER and WEBDAV_PASSWORD on stdout once the server answers; all else is on stderr.
#
# Settings (environment):
#   AUTH=basic|digest|none
#   WSGIDAV_ROOT=$HOME/.local/share/wsgidav
#   PYTHON=python3              the interpreter that install uses (with venv)
. "$(dirname "$0")/webdav.sh"

# With all that they need, so that the same server is measured each time.
readonly PACKAGES=(
    wsgidav==4.4.0 cheroot==11.1.2 lxml==6.1.3 defusedxml==0.7.1 jaraco.functools==4.6.0 Jinja2==3.1.6 json5==0.17.3
    MarkupSafe==3.0.4 more-itertools==11.2.1 PyYAML==6.0.3
)
AUTH=${AUTH:-basic}
WSGIDAV_ROOT=${WSGIDAV_ROOT:-$HOME/.local/share/wsgidav}
PYTHON=${PYTHON:-python3}
SETTINGS=(AUTH WSGIDAV_ROOT)

install_server() {
    "$PYTHON" -m venv "$WSGIDAV_ROOT"
    "$WSGIDAV_ROOT/bin/pip" install --quiet "${PACKAGES[@]}" >&2
}

serve() {
    local basic=false digest=false users="\"*\": {\"$DAV_USER\": {password: \"$DAV_PASSWORD\"}}"
    [ -x "$WSGIDAV_ROOT/bin/wsgidav" ] || die "not installed: $0 install"
    case $AUTH in
        basic) basic=true ;;
        digest) digest=true ;;
        none) users='"*": true' ;;
        *) die "no such AUTH: $AUTH" ;;
    esac
    cat >"$DIR/wsgidav.yaml" <<CONF
host: 127.0.0.1
port: $PORT
server: cheroot
server_args:
  numthreads: 40
  request_queue_size: 256
provider_mapping:
  "/": "$DIR/data"
http_authenticator:
  domain_controller: null
  accept_basic: $basic
  accept_digest: $digest
  default_to_digest: $digest
simple_dc:
  user_mapping:
    $users
lock_storage: true
property_manager: true
logging:
  enable: false
verbose: 1
CONF
    launch server "$WSGIDAV_ROOT/bin/wsgidav" --config "$DIR/wsgidav.yaml"
}

main "$@"
