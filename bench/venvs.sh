#!/bin/sh
# One virtual environment per source finder that skysift is compared with, in bench/.venvs/.
# Usage: bench/venvs.sh [bdsf] [aegean] [sep] [photutils]     (no name: all)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}

packages() {
    case $1 in
        bdsf) echo "bdsf==1.14.1" ;;
        # its error path names numpy.linalg.linalg, which newer NumPy does not have
        aegean) echo "AegeanTools==2.3.5 numpy<2.3" ;;
        sep) echo "sep==1.4.1 astropy scipy" ;;
        photutils) echo "photutils==3.0.0 scipy scikit-image" ;;
        *) echo "unknown finder: $1; allowed: bdsf aegean sep photutils" >&2; exit 2 ;;
    esac
}

for name in ${*:-bdsf aegean sep photutils}; do
    wanted=$(packages "$name")
    venv=$here/.venvs/$name
    [ -f "$venv/.ready" ] && continue
    "$python" -m venv "$venv"
    # shellcheck disable=SC2086
    "$venv/bin/pip" install -q --upgrade pip 
    # shellcheck disable=SC2086
    "$venv/bin/pip" install -q $wanted
    "$venv/bin/pip" freeze > "$venv/.ready"
done
