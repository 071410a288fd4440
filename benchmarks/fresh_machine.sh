#!/usr/bin/env bash
# What a new user meets on a clean machine: README's two commands in one chroot, the wheel in another.
#   sudo benchmarks/fresh_machine.sh [readme] [wheel]      (both by default; some 20 minutes)
# It needs root and Debian's mmdebstrap (or debootstrap), and prints the seconds of each part. Limits:
#   ./run 480 s, ./run test 720 s; `taipan run` 180 s after the installation.
set -euo pipefail
cd "$(dirname "$0")/.."
suite=${SUITE:-bookworm}
mirror=${MIRROR:-http://deb.debian.org/debian}
work=$(mktemp -d "${TMPDIR:-/tmp}/taipan-fresh-XXXXXX")
failed=0

clean_up() {
  local place
  for place in "$work"/*/dev "$work"/*/proc; do
    if mountpoint -q "$place"; then umount "$place"; fi
  done
  rm -rf "$work"
}
trap clean_up EXIT

# A minimal Debian with Python, a user, and nothing else.
make_machine() {
  local root=$work/$1
  local packages=ca-certificates,python3,python3-venv,procps
  if command -v mmdebstrap > /dev/null; then
    mmdebstrap --variant=minbase --include="$packages" "$suite" "$root" "$mirror"
  else
    debootstrap --variant=minbase --include="$packages" "$suite" "$root" "$mirror"
  fi
  mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
  mountpoint -q "$root/dev" || mount --rbind /dev "$root/dev"
  mount --make-rslave "$root/dev"
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  chroot "$root" useradd --create-home user
  # the settings of this machine for a mirror of the package index, if there are any
  local name
  : > "$root/home/user/environment"
  for name in PIP_INDEX_URL PIP_EXTRA_INDEX_URL UV_DEFAULT_INDEX UV_INDEX http_proxy https_proxy no_proxy SSL_CERT_FILE; do
    if [ -n "${!name:-}" ]; then printf 'export %s=%q\n' "$name" "${!name}" >> "$root/home/user/environment"; fi
  done
}

# timed NAME LIMIT MACHINE COMMAND
timed() {
  local start=$SECONDS status=0
  chroot "$work/$3" su - user -c ". ~/environment; $4" > "$work/$1.log" 2>&1 || status=$?
  local seconds=$((SECONDS - start))
  local verdict=passed
  if [ "$status" -ne 0 ] || [ "$seconds" -gt "$2" ]; then
    verdict=FAILED
    failed=1
    tail -n 20 "$work/$1.log" >&2
  fi
  printf '%-10s %5d s (at most %d s), status %d: %s\n' "$1" "$seconds" "$2" "$status" "$verdict"
}

check_readme() {
  make_machine readme
  git archive --prefix=taipan/ HEAD | tar -x -C "$work/readme/home/user"
  chroot "$work/readme" chown -R user: /home/user
  timed run 480 readme 'cd taipan && ./run && test -s results/htautau/report.html'
  timed test 720 readme 'cd taipan && ./run test'
}

check_wheel() {
  make_machine wheel
  git archive --prefix=source/ HEAD | tar -x -C "$work"
  "${PYTHON:-.venv/bin/python}" -m uv build --quiet --wheel --no-build-isolation \
    --python "${PYTHON:-.venv/bin/python}" --out-dir "$work/wheel/home/user" "$work/source"
  cp requirements.lock "$work/wheel/home/user"
  chroot "$work/wheel" chown -R user: /home/user
  timed install 480 wheel 'python3 -m venv env && env/bin/pip install -q --require-hashes -r requirements.lock &&
    env/bin/pip install -q --no-deps taipan_hep-*.whl'
  timed new 10 wheel '. env/bin/activate && taipan new demo'
  timed demo 180 wheel '. env/bin/activate && taipan run --config analysis=demo && test -n "$(find . -name report.html)"'
}

for part in "${@:-readme wheel}"; do
  for name in $part; do "check_$name"; done
done
exit "$failed"
