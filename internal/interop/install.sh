#!/usr/bin/env bash
# Installs what the interop tests drive Megawire with: Python's WebSocket clients, Node,
# a browser and curl from Debian, ws and playwright-core from npm. Does nothing, quickly, where
# all of it is there.
set -euo pipefail
cd "$(dirname "$0")"

missing=()
want() { # want PACKAGE TEST...: PACKAGE is missing if TEST fails
  local package=$1
  shift
  "$@" > /dev/null 2>&1 || missing+=("$package")
}
# /usr/bin/python3 is the one that Debian's packages belong to; another may stand first in the path.
want python3 test -x /usr/bin/python3
want python3-websocket /usr/bin/python3 -c 'import websocket; websocket.WebSocketApp'
want python3-websockets /usr/bin/python3 -c 'import websockets'
want chromium test -x /usr/bin/chromium
want curl command -v curl
want strace command -v strace
want nodejs command -v node
want npm command -v npm

if ((${#missing[@]})); then
  install="apt-get install -y --no-install-recommends ${missing[*]}"
  if [[ $(id -u) != 0 ]] || ! command -v apt-get > /dev/null; then
    echo "internal/interop: missing: ${missing[*]}" >&2
    echo "internal/interop: run: sudo $install" >&2
    exit 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  # The lists may be fresh already, and a mirror out of reach: only the installation decides.
  apt-get update -qq || echo "internal/interop: apt-get update failed, going on" >&2
  $install
fi

node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' || {
  echo "internal/interop: node $(node --version) is too old, 20 is the least: https://nodejs.org/en/download" >&2
  exit 1
}

stamp=node_modules/.installed-from
if ! cmp -s package-lock.json "$stamp"; then
  npm ci --ignore-scripts --no-progress
  cp package-lock.json "$stamp"
fi
