#!/usr/bin/env bash
# bsub prints "Job <123> is submitted to ..."; the executor wants the number alone.
set -euo pipefail
bsub "$@" | sed 's/[^0-9]*<\([0-9]*\)>.*/\1/'
