#!/bin/sh
# Runs a program twice, with an empty folder WEFT_TEST_CACHE for what it keeps.
set -eu
rm -rf "$WEFT_TEST_CACHE"
"$@"
exec "$@"
