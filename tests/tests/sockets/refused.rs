//! What is refused, with its reason: sockets whose frames would cross no port, and descriptors that are none of the kinds.

use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Command, Stdio};

use netctl::fd::packet::PacketSocket;
use netctl_common::verdict::Direction::FromGuest;
use netctl_common::verdict::Reason;
use netctl_tests::cli;
use netctl_tests::frame::{Build as _, Carrier as _, eth, mac};
use netctl_tests::lab::Lab;
use netctl_tests::nic::pass_hooks_by;
use netctl_tests::sandbox::Sandbox;
use netctl_tests::switch::Switch;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use crate::lab::{BRIDGE, MACVLAN, RULES, SOON, document, relays_of, with};

#[track_caller]
fn refused(sandbox: &Sandbox, words: &[&str], reason: &str) {
    let done = sandbox.netctl(words).expect_code(2);
    assert!(done.stderr.contains(reason), "{done}");
}

#[test]
fn addresses_that_would_cross_no_port_are_refused_with_the_reason() {
    with(BRIDGE, |sandbox, _| {
        for (words, reason) in [
            (["--listen", "mcast:230.0.0.1:1234"], "would reach each other without crossing a port"),
            (["--connect", "udp:127.0.0.1:5000"], "anyone could send as this guest"),
            (["--listen", "tcp:0.0.0.0:5000"], "stands for all addresses of the host"),
            (["--listen", "unix-dgram:/run/a"], "takes frames from anyone who may send to it"),
            (["--connect", "unix-dgram:/run/a"], "add `--bind PATH`"),
            (["--connect", "unix:/run/nobody"], "cannot connect to `unix:/run/nobody`: No such file"),
            (["--listen", "unix:/run/no/folder"], "cannot listen on `unix:/run/no/folder`: No such file"),
            (["--listen", "tcp:192.0.2.1:5000"], "cannot listen on `tcp:192.0.2.1:5000`"),
            (["--fd", "1000"], "descriptor 1000 cannot be used: Bad file descriptor"),
        ] {
            refused(sandbox, &["relay", "web1", words[0], words[1]], reason);
        }
        refused(
            sandbox,
            &["relay", "web1", "--connect", "unix:/run/a", "--bind", "/run/b"],
            "`unix:/run/a` needs no `--bind`",
        );
        refused(sandbox, &["relay", "nobody", "--fd", "0"], "no port `nobody`");
        refused(
            sandbox,
            &["run", "web1", "--", "true", "{web1.mcast}"],
            "use `{web1.stream}` or `{web1.dgram}`",
        );
        refused(sandbox, &["run", "web1", "--", "true", "{web1.packet}"], "past the port's programs");
        assert_eq!(relays_of(None).len(), 0);
        sandbox.netctl(["run", "web1", "--", "true", "{web1.fds}"]).expect_code(0);
    });
}

#[test]
fn descriptors_of_other_kinds_are_refused_with_the_reason() {
    with(BRIDGE, |_, _| {
        let packet = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None).unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        udp.connect("127.0.0.1:9").unwrap();
        let cases: [(OwnedFd, &str); 6] = [
            (std::fs::File::open("/dev/null").unwrap().into(), "is no socket"),
            (packet, "is a socket of another family than unix and TCP"),
            (udp.into(), "is a UDP socket, on which anyone could send as this guest"),
            (UnixListener::bind("/run/listener").unwrap().into(), "is a socket that listens"),
            (TcpListener::bind("127.0.0.1:0").unwrap().into(), "is a socket that listens"),
            (UnixDatagram::unbound().unwrap().into(), "is a socket that is not connected"),
        ];
        for (fd, reason) in cases {
            let mut command = Command::new(cli::binary().unwrap());
            command.args(["relay", "web1", "--fd", "0"]).stdin(Stdio::from(fd));
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains(&format!("descriptor 0 {reason}")), "{said}");
            assert_eq!(output.status.code(), Some(2), "{said}");
        }
    });
}

/// Why netctl gives out none: who holds the descriptor decides whether the port's programs see its frames.
#[test]
fn a_packet_socket_on_a_macvtap_passes_its_programs_by_when_its_holder_wants_that() {
    Sandbox::run(|sandbox| {
        let switch = Switch::new(sandbox, "switch").unwrap();
        switch.nic("up0").unwrap();
        let world = switch.station("world").unwrap();
        let lab = Lab::bare(sandbox, &document(MACVLAN, RULES)).unwrap();
        let _queue = lab.tap("web1").unwrap();
        let socket = PacketSocket::open("web1", 0x88b5).unwrap();
        let spoofed = |port| eth(mac(0x66), mac(0xfe)).ipv4("10.0.0.66", "10.0.0.99").udp(port, 53).frame();
        // ENOBUFS: dropped at the hook.
        assert!(socket.send(&spoofed(1)).is_err());
        lab.wait_stats(("web1", FromGuest, Reason::SpoofedMac), 1).unwrap();
        pass_hooks_by(&socket).unwrap();
        socket.send(&spoofed(2)).unwrap();
        let first = world.recv_matching(SOON, |frame| frame[6..12] == mac(0x66)).unwrap();
        assert_eq!(first, Some(spoofed(2)), "the first one was denied, the second one is on the wire");
        assert_eq!(lab.stats("web1", FromGuest, Reason::SpoofedMac).unwrap(), 1, "and nobody judged it");
    });
}
