#!/bin/sh
# Writes the starting points that k8s/refined grew from, with nothing but kubectl: sh k8s/generated/generate.sh [FOLDER]
# KUBECTL names another kubectl than the one on PATH.
set -eu
out=${1:-$(dirname "$0")}
kubectl=${KUBECTL:-kubectl}
apps="gateway:8080 users:50051 orders:50052 inventory:50053 payments:50054 basket:50055 notifications:3005 webhooks:50056"
namespace=distributed-systems

# kubectl looks for a cluster even where it needs none.
KUBECONFIG=/dev/null
export KUBECONFIG

# What belongs to a running object only is left out of a file.
clean() { grep -v -e '^status: {}$' -e '^  loadBalancer: {}$' -e '^ *creationTimestamp: null$' -e '^status:$'; }
create() { "$kubectl" create "$@" --namespace "$namespace" --dry-run=client --output=yaml | clean; }
header() { echo "# Written by generate.sh: a starting point. k8s/refined and k8s/helm are what is deployed."; }

mkdir -p "$out"
{
  header
  for app in $apps; do
    echo "---"
    create deployment "${app%%:*}" --image="daprplatform/${app%%:*}:1.0.0" --port="${app##*:}" --replicas=2
  done
} >"$out/app-deployment.yaml"
{
  header
  for app in $apps; do
    echo "---"
    create service clusterip "${app%%:*}" --tcp="${app##*:}:${app##*:}"
  done
} >"$out/app-service.yaml"
{
  header
  echo "---"
  create deployment postgres --image=postgres:15.4-alpine --port=5432
  echo "---"
  create service clusterip postgres --tcp=5432:5432
} >"$out/postgres-deployment.yaml"
