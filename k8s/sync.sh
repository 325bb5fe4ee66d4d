#!/bin/sh
# Brings k8s/ up to date with what it repeats: components/, monitoring/prometheus/rules and loadtest/ go into the chart, and the chart's default rendering
# becomes k8s/refined/base. Run it after a change of any of them; the tests compare.  HELM names another helm than the one on PATH.
set -eu
cd "$(dirname "$0")"
helm=${HELM:-helm}
if ! command -v "$helm" >/dev/null 2>&1; then
  helm=$(find ../artifacts/tools/kubernetes -type f -name helm 2>/dev/null | head -n 1)
  if [ -z "$helm" ]; then echo "helm is missing: ./platform k8s lint fetches it." >&2; exit 1; fi
fi
mkdir -p helm/files/components
cp ../components/*.yaml helm/files/components/
cp ../monitoring/prometheus/rules/*.rules.yml helm/files/
cp ../loadtest/script.js ../loadtest/scenario.json helm/files/
cp ../loadtest/script.js ../loadtest/scenario.json refined/components/load-test/
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
KUBECONFIG=/dev/null "$helm" template daprplatform helm --namespace distributed-systems >"$work/base.yaml"
KUBECONFIG=/dev/null "$helm" template daprplatform helm --namespace distributed-systems --values helm/values-dev.yaml >"$work/dev.yaml"
node tools/write-base.mjs "$work/base.yaml" "$work/dev.yaml" refined
