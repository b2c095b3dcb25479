#!/bin/busybox sh
# First process of the test guest. What it is told and what it says is the module doc of mod.rs.

say() { echo "NETCTL-$*"; }

# The word of a check that ended with exit code $1 and said $2.
outcome() {
    case "$1:$2" in
    0:*) echo ok ;;
    *refused*) echo fail refused ;;
    *unreachable*) echo fail unreachable ;;
    *timed\ out* | 143:*) echo fail timeout ;;
    *) echo fail other ;;
    esac
}

# connect ADDRESS PORT: opens TCP, and what it sends must come back.
check_connect() {
    said=$(echo netctl | timeout "$patience" nc -w "$patience" "$1" "$2" 2>&1)
    code=$?
    [ $code != 0 ] || [ "$said" = netctl ] || { code=1 && said=$said; }
    outcome $code "$said"
}

# bulk ADDRESS PORT KIB: as connect, with KIB * 1024 bytes each way.
check_bulk() {
    bytes=$(dd if=/dev/zero bs=1024 count="$3" 2>/dev/null | timeout 60 nc -w "$patience" "$1" "$2" 2>/tmp/said | wc -c)
    [ "$bytes" = $(($3 * 1024)) ]
    outcome $? "$(cat /tmp/said)"
}

check_ping() {
    said=$(ping -c 1 -W "$patience" "$1" 2>&1) && outcome 0 || outcome 1 "$said, timed out"
}

# Splits `[fd00::1]:80:9` and `10.0.0.1:80:9` into words.
words() {
    case "$1" in
    \[*) host=${1#\[} && host=${host%%\]*} && rest=${1##*\]:} ;;
    *) host=${1%%:*} && rest=${1#*:} ;;
    esac
    echo "$host" $(echo "$rest" | tr ':' ' ')
}

check() {
    verb=${1%%:*}
    argument=${1#*:}
    case "$verb" in
    listen) nc -ll -p "${argument#tcp/}" -e cat & result=ok ;;
    connect | bulk) result=$("check_$verb" $(words "$argument")) ;;
    ping) result=$(check_ping "$argument") ;;
    sleep) sleep "$argument" && result=ok ;;
    patience) patience=$argument && result=ok ;;
    poweroff) say DONE && poweroff -f ;;
    *) result="fail unknown" ;;
    esac
    say "RESULT $verb $argument $result"
}

# An address cannot be used while duplicate address detection runs: flag 0x40 of /proc/net/if_inet6.
wait_for_addresses() {
    for _ in $(seq 50); do
        awk '$6 == "eth0" && $5 ~ /^[4-7c-f]/ { found = 1 } END { exit !found }' /proc/net/if_inet6 || return
        usleep 100000
    done
}

/bin/busybox mkdir -p /proc /sys /dev /tmp /bin /sbin /usr/bin /usr/sbin
/bin/busybox --install -s
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
exec </dev/ttyS0 >/dev/ttyS0 2>&1
stty -echo -onlcr
echo
dmesg -n 1
for module in /modules/*; do insmod "$module"; done

patience=2
for word in $(cat /proc/cmdline); do
    case "$word" in
    netctl.ip=*) ip=${word#*=} ;;
    netctl.ip6=*) ip6=${word#*=} ;;
    netctl.mtu=*) mtu=${word#*=} ;;
    netctl.run=*) run=${word#*=} ;;
    esac
done
ip link set lo up
if [ -e /sys/class/net/eth0 ]; then
    ip link set eth0 ${mtu:+mtu $mtu} up
    [ -z "$ip" ] || ip addr add "$ip" dev eth0
    [ -z "$ip6" ] || ip addr add "$ip6" dev eth0
    wait_for_addresses
    say "LINK $(cat /sys/class/net/eth0/address) $(cat /sys/class/net/eth0/mtu)"
fi
for item in $(echo "$run" | tr ',' ' '); do check "$item"; done
say READY
while read -r item; do [ -z "$item" ] || check "$item"; done
poweroff -f
