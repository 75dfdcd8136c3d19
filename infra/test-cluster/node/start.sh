#!/usr/bin/env bash
# The node: process 1 of namespaces of its own (processes, mounts, network), in which all parts have their usual
# places. When it ends, so does everything in them. File 3 is the machine's network namespace; file 4, where there is
# one, ends with whoever started the node, and the node with it.
set -eu
state=$1 binaries=$2
host() { nsenter --net=/proc/self/fd/3 "$@"; }

host ip link add cactus-kube type veth peer name eth0 netns 1
ip link set lo up
ip address add 10.245.0.1/30 dev eth0
ip link set eth0 up
# For the API server, which calls webhooks through their Services.
ip route add 10.96.0.0/16 dev eth0
host ip address add 10.245.0.2/30 dev cactus-kube
host ip link set cactus-kube up
for range in 10.244.0.0/24 10.96.0.0/16; do host ip route add $range via 10.245.0.1; done
sysctl -qw net.ipv4.ip_forward=1
exec 3>&-

mount --bind "$binaries" "$state/var/lib/kubernetes/bin"
# The kubelet sets these for the whole machine, unless it finds them as it wants them.
while read -r key value; do
  echo "$value" >"$state/run/$key"
  mount --bind "$state/run/$key" "/proc/sys/${key//./\/}"
done <<'WANTED'
kernel.keys.root_maxbytes 25000000
kernel.keys.root_maxkeys 1000000
kernel.panic 10
kernel.panic_on_oops 1
vm.overcommit_memory 1
vm.panic_on_oom 0
WANTED
mount --rbind "$state/var" /var
mount --rbind "$state/run" /run
cd /var/lib/kubernetes
export PATH=$PWD/bin:/usr/sbin:/usr/bin:/sbin:/bin

start() { "$@" >"/var/log/$1.log" 2>&1 & }
part() { kube "$@" >"/var/log/$1.log" 2>&1 & }

start containerd --config containerd.toml
part etcd --data-dir /var/lib/etcd --unsafe-no-fsync --log-level warn
# A write that the API server does not know of: a watch from before it is too old, as in a cluster that has lived.
until busybox wget -q -O /dev/null --post-data '{"key":"YQ==","value":"YQ=="}' http://127.0.0.1:2379/v3/kv/put; do
  sleep 0.05
done 2>/dev/null
part kube-apiserver \
  --etcd-servers http://127.0.0.1:2379 --advertise-address 10.245.0.1 --service-cluster-ip-range 10.96.0.0/16 \
  --tls-cert-file server.crt --tls-private-key-file server.key --token-auth-file tokens.csv \
  --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction --allow-privileged \
  --service-account-issuer https://kubernetes.default.svc \
  --service-account-key-file service-accounts.pub --service-account-signing-key-file service-accounts.key \
  --kubelet-certificate-authority server.crt --kubelet-preferred-address-types InternalIP \
  --kubelet-client-certificate server.crt --kubelet-client-key server.key \
  --audit-policy-file audit-policy.yaml --audit-log-path /var/log/audit.log --audit-log-maxsize 10000
until kube kubectl --kubeconfig coredns.kubeconfig get --raw /readyz; do sleep 0.2; done >/dev/null 2>&1

part kube-controller-manager \
  --kubeconfig system:kube-controller-manager.kubeconfig --use-service-account-credentials --leader-elect=false \
  --root-ca-file server.crt --service-account-private-key-file service-accounts.key \
  --secure-port 0 --kube-api-qps 500 --kube-api-burst 1000
part kube-scheduler --kubeconfig system:kube-scheduler.kubeconfig --leader-elect=false --secure-port 0
part kubelet --config kubelet.yaml --kubeconfig system:node:node1.kubeconfig \
  --hostname-override node1 --node-ip 10.245.0.1
part kube-proxy --config kube-proxy.yaml
part coredns -conf Corefile
if [ -e /proc/self/fd/4 ]; then cat <&4 & fi
# Whichever part ends first: without it, there is no cluster.
wait -n
