#!/bin/sh
# Prints where promtool is: the one on PATH, or Debian's, unpacked below artifacts/tools. Nothing of the system is changed and no server is started.
# Exit code 3, and why on the standard error, where neither is to be had.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
tools=$root/artifacts/tools
found=$tools/prometheus/usr/bin/promtool

if command -v promtool 2>/dev/null; then exit 0; fi
if [ -x "$found" ]; then echo "$found"; exit 0; fi
if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-deb >/dev/null 2>&1; then
  echo "promtool is not on PATH, and this is no Debian to take it from: install Prometheus." >&2
  exit 3
fi

mkdir -p "$tools"
work=$(mktemp -d "$tools/prometheus.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 3
mkdir -p lists/partial cache/archives/partial
# Lists of our own: those of the system may be missing, and only root may fetch them.
apt() { apt-get -qq -o APT::Sandbox::User= -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" "$@" >>log 2>&1; }
if ! { apt-get -qq -o APT::Sandbox::User= download prometheus >log 2>&1 || { apt update && apt download prometheus; }; }; then
  echo "promtool is not on PATH, and Debian's package prometheus cannot be fetched: $(tail -n 1 log)" >&2
  exit 3
fi
dpkg-deb -x prometheus_*.deb unpacked || exit 3
# Another run may have been faster: its result is as good.
mv unpacked "$tools/prometheus" 2>/dev/null || rm -rf unpacked
if ! "$found" --version >/dev/null 2>&1; then
  echo "Debian's promtool does not run on this machine." >&2
  exit 3
fi
echo "$found"
