#!/bin/sh
# Prints the path of a Python that runs, is new enough and can make virtual environments.
#
# A name on PATH promises nothing: pyenv leaves a shim for every version it ever had, and a Linux
# package may lack ensurepip. So every candidate is started and asked, until one answers.
set -u

here=$(cd "$(dirname "$0")" && pwd)
minimum=$(sed -n 's/^requires-python = ">=\([0-9]*\.[0-9]*\)".*/\1/p' "$here/../pyproject.toml")

# Says its version and what is wrong with it, or the path of the interpreter behind a shim or a venv.
question="
import sys
version = '%d.%d.%d' % sys.version_info[:3]
if sys.version_info[:2] < ($(echo "$minimum" | tr . ,)):
    sys.exit(print(version + ', too old') or 1)
try:
    import ensurepip, venv
except ImportError:
    sys.exit(print(version + ', without venv or ensurepip') or 1)
print(sys._base_executable)
"

path_folders() {
    printf '%s\n' "${PATH-}" | tr ':' '\n'
}

candidates() {
    [ -z "${PYTHON-}" ] || command -v "$PYTHON" || printf '%s\n' "$PYTHON"
    for name in python3.12 python3.13 python3.14 python3; do
        path_folders | while IFS= read -r folder; do printf '%s\n' "$folder/$name"; done
    done
    path_folders | while IFS= read -r folder; do
        case $folder in */shims) printf '%s\n' "$folder"/../versions/*/bin/python3 ;; esac
    done
    printf '%s\n' "${PYENV_ROOT:-${HOME-}/.pyenv}"/versions/*/bin/python3 \
        "${UV_PYTHON_INSTALL_DIR:-${HOME-}/.local/share/uv/python}"/*/bin/python3 \
        "${HOMEBREW_PREFIX:-/opt/homebrew}"/bin/python3.1[2-9] \
        "${CONDA_PREFIX:-${HOME-}/miniforge3}"/bin/python3 "${HOME-}"/miniconda3/bin/python3
}

tried=''
candidates=$(candidates | awk '!seen[$0]++')
while IFS= read -r candidate; do
    if [ ! -x "$candidate" ] || [ -d "$candidate" ]; then
        [ "$candidate" = "${PYTHON-}" ] && tried="$tried, $candidate (no such program)"
        continue
    fi
    if answer=$("$candidate" -c "$question" 2>/dev/null </dev/null) && [ -n "$answer" ]; then
        [ -z "${PYTHON-}" ] || [ -z "$tried" ] || echo "PYTHON=$PYTHON cannot be used; taking $answer" >&2
        printf '%s\n' "$answer"
        exit 0
    fi
    tried="$tried, $candidate (${answer:-does not run})"
done <<EOF
$candidates
EOF

tried=${tried#, }
cat >&2 <<EOF
No usable Python was found; tried: ${tried:-nothing, there is none on PATH}.
Expected: Python $minimum or newer, with its modules venv and ensurepip.
Install one, or name one that you have: make env PYTHON=/path/to/python$minimum
EOF
exit 1
