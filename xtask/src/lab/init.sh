#!/bin/busybox sh
# First process of a lab kernel: the machine's own root file system, copy-on-write, and then the jobs. What it says is
# told in boot.rs.

say() { echo; echo "NETCTL-LAB $*"; }

stop() {
    say "broken $*"
    /bin/busybox poweroff -f
}

/bin/busybox mkdir -p /proc /sys /dev /bin /sbin /usr/bin /usr/sbin /machine /copy /root
/bin/busybox --install -s
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
exec </dev/ttyS0 >/dev/ttyS0 2>&1
stty -echo -onlcr
for module in /modules/*; do insmod "$module"; done

for word in $(cat /proc/cmdline); do
    case "$word" in
    lab.modules=*) modules=${word#*=} ;;
    lab.load=*) load=$(echo "${word#*=}" | tr ',' ' ') ;;
    esac
done

# The host does not write to it meanwhile, or not where it matters: the cache need not ask again.
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=1048576 machine /machine || stop "no 9p"
mount -t tmpfs -o size=80% tmpfs /copy
mkdir /copy/changed /copy/work
mount -t overlay -o lowerdir=/machine,upperdir=/copy/changed,workdir=/copy/work overlay /root || stop "no overlay"
for place in proc sys dev; do mount --move /$place /root/$place; done
mkdir -p /root/dev/pts /root/dev/shm
mount -t devpts devpts /root/dev/pts
mount -t tmpfs tmpfs /root/dev/shm
mount -t tmpfs tmpfs /root/run
mount -t bpf bpf /root/sys/fs/bpf
mount -t cgroup2 cgroup2 /root/sys/fs/cgroup
mkdir -p "/root/lib/modules/$(uname -r)"
mount --bind "/root$modules" "/root/lib/modules/$(uname -r)" || stop "no modules in $modules"
mkdir /root/run/lab
cp -r /jobs /bin/busybox /root/run/lab
ip link set lo up

cat >/root/run/lab/run <<'END'
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
say() { echo; echo "NETCTL-LAB $*"; }
for module in $1; do modprobe "$module" || say "broken no module $module"; done
# The NIC with SR-IOV is the tests' to change.
for nic in /sys/class/net/*; do
    [ ! -e "$nic/device/sriov_totalvfs" ] || export NETCTL_TEST_PF="${nic##*/}"
done
say "up $(uname -r)"
for job in /run/lab/jobs/*; do
    say "start ${job##*/}"
    /bin/sh "$job"
    say "end ${job##*/} $?"
done
say "done"
exec /run/lab/busybox poweroff -f
END
exec switch_root /root /run/lab/busybox sh /run/lab/run "$load"
