#!/usr/bin/env bash
# facenet-pytorch 2.6.0 asks for torch < 2.3 and numpy < 2 but runs with the releases above.
set -euo pipefail
python -m pip install --no-deps facenet-pytorch==2.6.0
