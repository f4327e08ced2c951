#!/usr/bin/env bash
# On a machine of its own (a CI runner): start k3s, deploy the environment `local`, be its user, deploy
# once more without restarting anybody, and remove it without a rest. Needs root by sudo, helm, kubectl.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=v1.36.3+k3s1
export KUBECONFIG=/etc/rancher/k3s/k3s.yaml
work=$(mktemp -d)

explain() {
  kubectl get pods --all-namespaces --output wide || true
  kubectl get events --all-namespaces --field-selector type=Warning || true
  tail -20 "$work/k3s.log" || true
}
trap 'test $? -eq 0 || explain' EXIT

releases=https://github.com/k3s-io/k3s/releases/download/${version/+/%2B}
(cd "$work" && curl -fsSL --remote-name-all "$releases/k3s" "$releases/sha256sum-amd64.txt" \
  && grep ' k3s$' sha256sum-amd64.txt | sha256sum --check && chmod +x k3s)
sudo "$work/k3s" server --disable traefik,servicelb,metrics-server --write-kubeconfig-mode 644 \
  > "$work/k3s.log" 2>&1 &
timeout 180 bash -c 'until kubectl get nodes 2> /dev/null | grep -w Ready; do sleep 2; done'

deploy() { .venv/bin/pangeo-deploy charts deploy local --target kubernetes; }
running() {
  kubectl --namespace pangeo get pods --output name | grep -E 'hub|proxy|gateway' | sort
}

deploy
kubectl --namespace pangeo port-forward service/proxy-public 8000:80 > "$work/forward.log" 2>&1 &
timeout 60 bash -c 'until curl -fs http://localhost:8000/hub/api; do sleep 1; done'
.venv/bin/pangeo-deploy smoke local --target kubernetes

before=$(running)
deploy
test "$before" = "$(running)" || { echo 'A second deploy restarted something.' >&2; exit 3; }

.venv/bin/pangeo-deploy charts remove local --target kubernetes --confirm local
test -z "$(kubectl --namespace pangeo get pods --output name)"
