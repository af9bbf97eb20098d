#!/bin/sh
# Ranks on two hosts: network namespaces with names of their own, joined by a virtual cable. Runs a command on both by Open MPI over TCP.
# As root, with iproute2 and util-linux:
#
#   test/bench/ranks-two-hosts.sh [-n RANKS_OF_EACH] [-d "delay 0.2ms rate 1gbit"] COMMAND …
set -eu
each=1
shape=""
while getopts n:d: option; do
  case $option in
    n) each=$OPTARG ;;
    d) shape=$OPTARG ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
one=acutance-one
two=acutance-two
folder=$(mktemp -d)
end() {
  ip netns del $one 2>/dev/null || true
  ip netns del $two 2>/dev/null || true
  rm -rf "$folder"
}
trap end EXIT
for host in $one $two; do
  ip netns add $host
  ip -n $host link set lo up
done
ip link add acutance1 netns $one type veth peer name acutance2 netns $two
ip -n $one address add 10.77.0.1/24 dev acutance1
ip -n $two address add 10.77.0.2/24 dev acutance2
ip -n $one link set acutance1 up
ip -n $two link set acutance2 up
if [ -n "$shape" ]; then
  # shellcheck disable=SC2086 # several words
  ip netns exec $one tc qdisc add dev acutance1 root netem $shape
  # shellcheck disable=SC2086
  ip netns exec $two tc qdisc add dev acutance2 root netem $shape
fi
# What mpirun starts its daemon on the other host by: address, then a command line for a shell.
cat >"$folder/agent" <<EOF
#!/bin/sh
shift
exec ip netns exec $two unshare --uts sh -c "hostname $two; \$*"
EOF
chmod +x "$folder/agent"
# What Open MPI keeps of a run lies apart for each host, as on two computers.
ip netns exec $one unshare --uts sh -c "hostname $one; exec \"\$@\"" sh \
  mpirun --allow-run-as-root --oversubscribe --bind-to none --host "10.77.0.1:$each,10.77.0.2:$each" -n $((2 * each)) \
  --mca plm_rsh_agent "$folder/agent" --mca plm_rsh_no_tree_spawn 1 --mca oob_tcp_if_include 10.77.0.0/24 \
  --mca btl tcp,self --mca btl_tcp_if_include 10.77.0.0/24 "$@"
