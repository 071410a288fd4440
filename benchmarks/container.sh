#!/usr/bin/env bash
# Builds the image of Containerfile without a registry, and runs the smoke configuration in it.
#   sudo benchmarks/container.sh        (some 10 minutes and 12 GB in TMPDIR)
# It needs root and Debian's buildah and mmdebstrap. The first line of Containerfile, which takes an image of
# Python from a registry, is replaced by a minimal Debian with its own Python; all other lines run as they are.
set -euo pipefail
cd "$(dirname "$0")/.."
suite=${SUITE:-trixie}
certificates=/etc/ssl/certs/ca-certificates.crt
work=$(mktemp -d "${TMPDIR:-/tmp}/taipan-container-XXXXXX")
builder=(buildah --root "$work/storage" --runroot "$work/run" --storage-driver "${STORAGE_DRIVER:-overlay}")
export BUILDAH_ISOLATION=chroot

clean_up() {
  "${builder[@]}" rm --all > /dev/null 2>&1 || true
  "${builder[@]}" rmi --all --force > /dev/null 2>&1 || true
  rm -rf --one-file-system "$work"
}
trap clean_up EXIT

# What `python:3.x-slim` is on a registry: Debian with `python` and `pip`, which may install anywhere.
make_base() {
  mmdebstrap --quiet --variant=minbase --include=ca-certificates,python3,python3-pip "$suite" "$work/base.tar"
  local container
  container=$("${builder[@]}" from scratch)
  "${builder[@]}" add --quiet "$container" "$work/base.tar" / > /dev/null
  "${builder[@]}" run "$container" -- ln -s python3 /usr/bin/python
  "${builder[@]}" copy --quiet "$container" "${SSL_CERT_FILE:-$certificates}" "$certificates" > /dev/null
  "${builder[@]}" config --env PIP_BREAK_SYSTEM_PACKAGES=1 --env PIP_CERT="$certificates" "$container"
  "${builder[@]}" commit --quiet --rm "$container" localhost/python > /dev/null
  rm "$work/base.tar"
}

start=$SECONDS
make_base
echo "base image: $((SECONDS - start)) s"
start=$SECONDS
git archive --prefix=source/ HEAD | tar -x -C "$work"
"${builder[@]}" build --quiet --from localhost/python --file "$work/source/Containerfile" --tag taipan "$work/source"
echo "Containerfile: $((SECONDS - start)) s, load $(cut -d ' ' -f 1 /proc/loadavg)"
start=$SECONDS
container=$("${builder[@]}" from localhost/taipan)
"${builder[@]}" run --volume "$work/source:/work" "$container" -- python --version
"${builder[@]}" run --volume "$work/source:/work" "$container" -- \
  snakemake --cores 2 --quiet all --configfile config/examples/smoke.yaml
test -s "$work/source/results/smoke/htautau/summary.md"
echo "smoke configuration in it: $((SECONDS - start)) s, load $(cut -d ' ' -f 1 /proc/loadavg)"
