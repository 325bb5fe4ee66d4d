#!/bin/sh
# Makes the secrets of the platform in a cluster, with values that nobody has seen:  sh k8s/create-secrets.sh [--admin EMAIL] [--print]
# What exists is left as it is, so that no password of a running server changes. --print writes the documents to the standard output instead.
# KUBECTL names another kubectl than the one on PATH, NAMESPACE another namespace.
set -eu
kubectl=${KUBECTL:-kubectl}
namespace=${NAMESPACE:-distributed-systems}
admin=
print=false
while [ $# -gt 0 ]; do
  case $1 in
    --admin) admin=$2; shift 2 ;;
    --print) print=true; shift ;;
    *) echo "usage: create-secrets.sh [--admin EMAIL] [--print]" >&2; exit 2 ;;
  esac
done
if ! command -v openssl >/dev/null 2>&1; then echo "openssl is missing." >&2; exit 1; fi

umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
random() { openssl rand -hex 24; }
create() {
  if [ "$print" = true ]; then
    echo "---"
    KUBECONFIG=/dev/null "$kubectl" create "$@" --namespace "$namespace" --dry-run=client --output=yaml
  elif "$kubectl" --namespace "$namespace" get secret "$3" >/dev/null 2>&1; then
    echo "secret $3 is there already" >&2
  else
    "$kubectl" create "$@" --namespace "$namespace"
  fi
}

# From files, so that no value is an argument that others on this machine could see.
for name in postgres redis kafka; do random | tr -d '\n' >"$work/$name"; done
set -- --from-file=postgres-password="$work/postgres" --from-file=redis-password="$work/redis" --from-file=kafka-password="$work/kafka"
if [ -n "$admin" ]; then
  random | tr -d '\n' >"$work/admin"
  printf %s "$admin" >"$work/email"
  set -- "$@" --from-file=seed-admin-email="$work/email" --from-file=seed-admin-password="$work/admin"
fi
create secret generic distributed-systems-secrets "$@"

# The key that signs tokens: P-256, PKCS#8.
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/key" 2>/dev/null
create secret generic jwt-signing-key --from-file=jwt-signing-key="$work/key"
