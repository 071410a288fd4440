#!/usr/bin/env bash
# What a new user meets on a clean machine: README's two commands in one chroot, the wheel in another.
#   sudo benchmarks/fresh_machine.sh [run] [test] [wheel]      (all by default; some 40 minutes)
#   sudo SUITE=trixie benchmarks/fresh_machine.sh wheel        (Python 3.13; bookworm has 3.11)
# It needs root, Debian's mmdebstrap and an installed project, and prints the seconds of each part. Limits:
#   ./run 480 s, ./run test 720 s; `taipan run` 180 s after the installation.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -z "${TAIPAN_OWN_MOUNTS:-}" ]; then # what is mounted below goes with this process, however it ends
  exec unshare --mount --propagation private env TAIPAN_OWN_MOUNTS=1 "$0" "$@"
fi
suite=${SUITE:-bookworm}
python=${PYTHON:-.venv/bin/python}
work=$(mktemp -d "${TMPDIR:-/tmp}/taipan-fresh-XXXXXX")
failed=0

clean_up() {
  local place
  for place in "$work"/*/dev/shm "$work"/*/proc; do
    if mountpoint -q "$place"; then umount "$place"; fi
  done
  rm -rf --one-file-system "$work"
}
trap clean_up EXIT

# A minimal Debian with Python and Git, a user, and nothing else.
make_machine() {
  local root=$work/$1
  [ ! -d "$root" ] || return 0
  mmdebstrap --quiet --variant=minbase --include=ca-certificates,git,python3,python3-venv "$suite" "$root"
  mount -t proc proc "$root/proc"
  mount -t tmpfs tmpfs "$root/dev/shm"
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  chroot "$root" useradd --create-home --shell /bin/bash user
  take_network_settings "$root"
}

# How this machine reaches a package index: proxies, another index, certificates.
take_network_settings() {
  local certificates=/etc/ssl/certs/ca-certificates.crt name
  cp "${SSL_CERT_FILE:-$certificates}" "$1$certificates"
  for name in PIP_INDEX_URL UV_DEFAULT_INDEX http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    if [ -n "${!name:-}" ]; then printf 'export %s=%q\n' "$name" "${!name}"; fi
  done > "$1/home/user/environment"
  for name in PIP_CERT SSL_CERT_FILE REQUESTS_CA_BUNDLE; do
    printf 'export %s=%s\n' "$name" "$certificates"
  done >> "$1/home/user/environment"
}

# timed NAME LIMIT MACHINE COMMAND
timed() {
  local start=$SECONDS status=0 verdict=passed TIMEFORMAT='%U + %S'
  { time chroot "$work/$3" su - user -c ". ~/environment; $4" > "$work/$1.log" 2>&1; } 2> "$work/$1.time" || status=$?
  local seconds=$((SECONDS - start))
  if [ "$status" -ne 0 ] || [ "$seconds" -gt "$2" ]; then
    verdict=FAILED
    failed=1
    tail -n 20 "$work/$1.log" >&2
  fi
  printf '%-10s %5d s (at most %d s), processor %s s, load %s, status %d: %s\n' \
    "$1" "$seconds" "$2" "$(tail -n 1 "$work/$1.time")" "$(cut -d ' ' -f 1 /proc/loadavg)" "$status" "$verdict"
}

make_clone() {
  make_machine readme
  [ ! -d "$work/readme/home/user/taipan" ] || return 0
  git clone --quiet --no-hardlinks . "$work/readme/home/user/taipan"
  chroot "$work/readme" chown -R user: /home/user
}

check_run() {
  make_clone
  timed run 480 readme 'cd taipan && ./run && test -s results/htautau/report.html'
}

check_test() {
  make_clone
  timed test 720 readme 'cd taipan && ./run test'
}

check_wheel() {
  make_machine wheel
  git archive --prefix=source/ HEAD | tar -x -C "$work"
  "$python" -m uv build --quiet --wheel --no-build-isolation --python "$python" \
    --out-dir "$work/wheel/home/user" "$work/source"
  cp requirements.lock "$work/wheel/home/user"
  chroot "$work/wheel" chown -R user: /home/user
  timed install 480 wheel 'python3 -m venv env && env/bin/pip install -q --require-hashes -r requirements.lock &&
    env/bin/pip install -q --no-deps taipan_hep-*.whl'
  timed new 10 wheel 'mkdir physics && cd physics && . ~/env/bin/activate && taipan new demo'
  timed demo 180 wheel 'cd physics && . ~/env/bin/activate && taipan run demo && test -s results/demo/report.html'
}

if [ $# -eq 0 ]; then set -- run test wheel; fi
for part in "$@"; do
  case $part in
    run | test | wheel) "check_$part" ;;
    *)
      echo "fresh_machine.sh: '$part' is not a part (run, test, wheel)" >&2
      exit 2
      ;;
  esac
done
exit "$failed"
