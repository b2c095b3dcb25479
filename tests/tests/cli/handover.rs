//! `netctl open`: who gets the descriptors over a unix socket, and what is said where nobody can.

use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::thread;

use netctl::fd::tap::{self, Header};
use netctl_tests::process::Finished;
use netctl_tests::sandbox::Sandbox;
use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, accept4, bind,
    listen, recvmsg, socket,
};
use serde_json::{Value, json};

use crate::lab::Lab;

const PATH: &str = "/run/lab/vmm.sock";

fn listener(kind: SockType) -> OwnedFd {
    let listener = socket(AddressFamily::Unix, kind, SockFlag::SOCK_CLOEXEC, None).unwrap();
    bind(listener.as_raw_fd(), &UnixAddr::new(PATH).unwrap()).unwrap();
    listen(&listener, Backlog::new(1).unwrap()).unwrap();
    listener
}

/// One message, as docs/handover.md describes it.
fn receive(from: &OwnedFd) -> (Value, Vec<OwnedFd>) {
    let mut text = [0; 4096];
    let mut control = nix::cmsg_space!([i32; 253]);
    let mut buffers = [IoSliceMut::new(&mut text)];
    let message =
        recvmsg::<UnixAddr>(from.as_raw_fd(), &mut buffers, Some(&mut control), MsgFlags::MSG_CMSG_CLOEXEC)
            .unwrap();
    let mut fds = Vec::new();
    for part in message.cmsgs().unwrap() {
        if let ControlMessageOwned::ScmRights(numbers) = part {
            // SAFETY: the kernel has just given these descriptors to this process, and nobody else has them.
            fds.extend(numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }));
        }
    }
    let length = message.bytes;
    (serde_json::from_slice(&text[..length]).unwrap(), fds)
}

/// `netctl open` with these ports, to a listener of this type, which gets as many messages.
fn handed_over(lab: &Lab<'_>, kind: SockType, ports: &str) -> (Finished, Vec<(Value, Vec<OwnedFd>)>) {
    let listener = listener(kind);
    let count = ports.split(' ').count();
    thread::scope(|scope| {
        let receiver = scope.spawn(move || {
            let accepted = accept4(listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC).unwrap();
            // SAFETY: accept4(2) has just made it.
            let connection = unsafe { OwnedFd::from_raw_fd(accepted) };
            (0..count).map(|_| receive(&connection)).collect()
        });
        let done =
            lab.sh(&format!("netctl open {ports} --socket {PATH} --json; code=$?; rm {PATH}; exit $code"));
        (done, receiver.join().unwrap())
    })
}

#[test]
fn each_port_is_a_message_with_its_descriptors() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.write("host.toml", crate::lab::DOCUMENT.replace("groups = [\"db\"]", "queues = 3\nmtu = 1400"));
        lab.sh("sed -i '/policy/,$d' host.toml; echo '[policy]\ndefault = \"deny\"' >> host.toml")
            .expect_code(0);
        lab.apply();
        for kind in [SockType::Stream, SockType::SeqPacket] {
            let (done, messages) = handed_over(&lab, kind, "db1 web1");
            let told: Vec<Value> = messages.iter().map(|(message, _)| message.clone()).collect();
            assert_eq!(done.expect_code(0).json(), json!(told), "standard output has the same facts");
            let vhost = told[0]["vhost_fds"].as_u64().unwrap();
            let wanted = json!({
                "port": "db1", "interface": "db1", "kind": "tap", "mac": "52:54:00:00:00:21", "mtu": 1400,
                "queues": 3, "tap_fds": 3, "vhost_fds": vhost, "vnet_header": 10, "remaining": 1,
            });
            assert_eq!(told[0], wanted);
            assert_eq!(
                (&told[1]["port"], &told[1]["remaining"], &told[1]["mtu"]),
                (&json!("web1"), &json!(0), &Value::Null)
            );
            for ((_, fds), (interface, queues)) in messages.iter().zip([("db1", 3), ("web1", 1)]) {
                assert!(fds.len() == queues || fds.len() == 2 * queues, "{interface}: {fds:?}");
                for fd in &fds[..queues] {
                    assert_eq!(tap::info(fd.as_fd()).unwrap().interface, interface);
                }
            }
            let busy = lab.sh("netctl open db1 --socket vmm.sock").expect_code(2);
            assert!(busy.stderr.contains("port `db1` is in use by another process"), "{busy}");
        }
    });
}

#[test]
fn where_nobody_can_take_them_nothing_is_handed_over() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let left = || lab.sh("netctl show; ls /sys/class/net; find /sys/fs/bpf").stdout;
        let before = left();
        let gone = "python3 -c 'import socket, subprocess, sys; a, b = socket.socketpair(); a.close(); \
                    sys.exit(subprocess.run([\"netctl\", \"open\", \"web1\", \"--fd\", str(b.fileno())], \
                    pass_fds=[b.fileno()]).returncode)'";
        for (line, wanted) in [
            ("netctl open web1 --fd 99", "descriptor 99 is not open"),
            ("netctl open web1 --fd -1", "descriptor -1 is not open"),
            ("netctl open web1 --fd 9 9<>/etc/hostname", "descriptor 9 is no socket"),
            (
                "netctl open web1 --fd 9 9<>/dev/udp/127.0.0.1/9",
                "descriptor 9 is a socket, but not a unix socket",
            ),
            (gone, "the peer of the socket is gone"),
            (
                "netctl open web1 --socket /run/lab/none",
                "cannot connect to /run/lab/none; a unix socket has to listen there",
            ),
            ("netctl open web1 --socket host.toml", "cannot connect to host.toml"),
            ("netctl open web1 --socket $(printf %0200d 0)", "cannot connect to 000"),
            ("netctl open web1 web1 --socket none", "port `web1` is named twice"),
            ("netctl open web9 --socket none", "no port `web9` in the running document"),
            ("netctl open web1 --for qemu", "qemu takes descriptors: start it with `netctl run`"),
        ] {
            let done = lab.sh(line).expect_code(2);
            assert!(done.stderr.contains(wanted), "no `{wanted}`\n{done}");
            assert_eq!(
                (done.stderr.lines().count(), done.stdout.as_str()),
                (1, ""),
                "more than a sentence\n{done}"
            );
            assert_eq!(left(), before, "{line}");
        }
        lab.sh("netctl open web1 --dry-run --socket none").expect_code(0);
    });
}

#[test]
fn firecracker_can_open_what_its_configuration_names() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let done = lab.sh("netctl open web1 --for firecracker").expect_code(0);
        let stanza = json!({ "iface_id": "web1", "host_dev_name": "web1", "guest_mac": "52:54:00:00:00:11" });
        assert_eq!(done.json(), stanza);
        // Tap::open_named, then set_vnet_hdr_size and set_offload: src/vmm/src/devices/virtio/net of its sources.
        let queue = tap::open("web1", 1, Header::Virtio).unwrap().remove(0);
        tap::set_header_len(queue.as_fd(), 12).unwrap();
        tap::set_offloads(queue.as_fd(), libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6).unwrap();
        let flags = tap::info(queue.as_fd()).unwrap().flags;
        assert_eq!(flags & libc::IFF_MULTI_QUEUE, 0);
        assert_ne!(flags & libc::IFF_VNET_HDR, 0);
    });
}

#[test]
fn the_example_of_the_library_opens_a_port() {
    let example = netctl_tests::builds::example("open_port");
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let done = lab.sh(&format!("{} web1", example.display())).expect_code(0);
        for wanted in ["queues: [", "QEMU: -netdev tap,id=nic0,fds=", "message: Message { port: \"web1\""] {
            assert!(done.stdout.contains(wanted), "no `{wanted}`\n{done}");
        }
        let done = lab.sh(&format!("{} web9", example.display())).expect_code(2);
        assert!(done.stderr.contains("no port `web9`"), "{done}");
    });
}
