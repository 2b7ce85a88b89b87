#!/usr/bin/env bash
# Publish over HTTP: one message, several, a stream. The admin listener is on loopback only.
set -euo pipefail
admin=${MEGAWIRE_ADMIN:-http://127.0.0.1:9080}

post() { curl --silent --show-error --fail-with-body --header "Content-Type: $1" --data-binary @- "$admin/v1/publish"; }

# One message, answered with its seq. "text" or "bin" (base64) may stand in place of "data".
post application/json <<< '{"topic":"chat/lobby","data":{"name":"curl","text":"hello"}}'

# Several: checked as a whole, then published, with an answer each.
post application/json <<< '[{"topic":"sensors/kitchen","data":{"celsius":21.5}},{"topic":"chat/lobby","text":"not JSON"}]'

# A stream, a line a message, for as long as the request stays open. Bad lines are skipped and counted.
for celsius in 21.6 21.7 21.8; do
  printf '{"topic":"sensors/kitchen","data":{"celsius":%s}}\n' "$celsius"
done | post application/x-ndjson
