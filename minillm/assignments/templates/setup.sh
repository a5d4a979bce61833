#!/usr/bin/env bash
# Made by minillm: installs what grading needs. Gradescope runs it once, as root, when the autograder is uploaded.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(dirname "$here")"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends python3 python3-venv ca-certificates
apt-get install -y -qq --no-install-recommends libseccomp2
apt-get install -y -qq --no-install-recommends bubblewrap || echo "no bubblewrap: submissions will run in a chroot"
enough() { command -v "$1" > /dev/null && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; }
python=python3
enough "$python" || for version in 3.13 3.12 3.11; do
  python="python$version"
  apt-get install -y -qq --no-install-recommends "$python" "$python-venv" && enough "$python" && break
done
enough "$python" || { echo "minillm needs Python 3.11 or later: choose a newer base image"; exit 1; }
"$python" -m venv "$root/venv"
"$root/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir -r "$here/requirements.txt"
chmod -R a+rX "$root/venv"
chmod -R go-rwx "$here"
