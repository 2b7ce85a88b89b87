#!/usr/bin/env bash
# Installs and builds what bench/ compares Megawire with. What cannot be had here is left out, with a word: the comparison
# then goes without it. "quick" takes care of the floor and Bun alone.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/bin/peers
mkdir -p "$out"

note() { echo "bench: $*" >&2; }

if compiler=$(command -v gcc || command -v cc); then
  [[ $out/floor -nt bench/peers/floor/floor.c && $out/floor -nt bench/peers/floor/handshake.h ]] \
    || "$compiler" -O2 -Wall -o "$out/floor" bench/peers/floor/floor.c
else
  note "no C compiler (apt-get install gcc): without the floor there are no ratios"
fi

if command -v npm > /dev/null; then
  (
    cd bench/peers/node
    stamp=node_modules/.installed-from
    if ! cmp -s package-lock.json "$stamp"; then
      npm ci --ignore-scripts --no-progress --loglevel error
      cp package-lock.json "$stamp"
    fi
  ) || note "npm failed: without Bun, ws and Socket.IO"
else
  note "no npm (apt-get install npm): without Bun, ws and Socket.IO"
fi

[[ ${1-} == quick ]] && exit

for peer in gws nbio gorilla; do
  (cd bench/peers/go && CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$out/$peer" "./$peer") || note "without $peer"
done

missing=()
[[ -x /usr/sbin/mosquitto ]] || missing+=(mosquitto)
command -v nats-server > /dev/null || missing+=(nats-server)
/usr/bin/python3 -c 'import websockets' 2> /dev/null || missing+=(python3-websockets)
if ((${#missing[@]})); then
  install="apt-get install -y --no-install-recommends ${missing[*]}"
  if [[ $(id -u) == 0 ]] && command -v apt-get > /dev/null; then
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 # level 1: their services are not started
    apt-get update -qq || note "apt-get update failed, going on"
    $install || note "without some of: ${missing[*]}"
  else
    note "without ${missing[*]}; to have them: sudo $install"
  fi
fi
command -v centrifugo > /dev/null || note "without Centrifugo, which no registry holds: put its program on the PATH"
