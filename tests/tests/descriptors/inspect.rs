//! What `netctl fd inspect` says, beside what is known of the descriptor otherwise.

use std::fs::OpenOptions;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;

use netctl::fd::macvtap;
use netctl::fd::packet::PacketSocket;
use netctl::fd::tap::{self, Header};

use netctl_tests::cli;
use netctl_tests::sandbox::Sandbox;
use netctl_tests::seccomp;
use serde_json::{Value, json};

use crate::lab::{host, inspected, mine};

/// Those keys of an object, as a list.
fn some<const N: usize>(object: &Value, keys: [&str; N]) -> Value {
    keys.iter().map(|key| object[*key].clone()).collect()
}

#[test]
fn a_queue_that_netctl_run_opened_is_said_to_be_its_ports() {
    host(|sandbox| {
        let netctl = cli::binary().unwrap();
        let words = ["run", "web1", "--", netctl.to_str().unwrap(), "fd", "inspect", "{web1.fds}"];
        let queue = sandbox.netctl(words.iter().chain(&["--json"])).expect_code(0).json();
        let keys = ["kind", "interface", "port", "network", "queue", "header_bytes", "namespace", "pid"];
        let wanted = json!(["tap-queue", "web1", "web1", "lab", "attached", 10, "this", null]);
        assert_eq!(some(&queue[0], keys), wanted);
        assert_eq!(queue[0]["flags"], json!(["tap", "no_pi", "vnet_hdr", "persist"]));
        assert_eq!(queue[0]["file"], "/dev/net/tun");
        let features = queue[0]["features"].as_array().unwrap();
        assert!(["multi_queue", "napi"].iter().all(|known| features.contains(&json!(known))), "{features:?}");

        let said = sandbox.netctl(words).expect_code(0).stdout;
        let number = queue[0]["fd"].as_i64().unwrap();
        assert!(said.starts_with(&format!("descriptor {number}: tap queue\n")), "{said}");
        for line in [
            "interface   web1",
            "port        web1",
            "network     lab",
            "header      10 bytes",
            "queue       attached",
        ] {
            assert!(said.contains(&format!("\n  {line}\n")), "no `{line}` in\n{said}");
        }
    });
}

#[test]
fn a_process_shows_which_of_its_queues_are_detached() {
    host(|sandbox| {
        let queues = tap::open("db1", 4, Header::Virtio).unwrap();
        tap::detach(queues[3].as_fd()).unwrap();
        tap::set_header_len(queues[0].as_fd(), 12).unwrap();
        for (number, wanted) in [(0, "attached"), (3, "detached")] {
            let queue = inspected(sandbox, &mine(&queues[number]));
            assert_eq!(some(&queue, ["queue", "header_bytes", "port"]), json!([wanted, 12, "db1"]));
            assert_eq!(queue["flags"], json!(["tap", "no_pi", "vnet_hdr", "multi_queue", "persist"]));
            assert_eq!(queue["pid"], std::process::id());
        }
        // Of a whole process, what is no network descriptor is left out.
        let target = format!("pid:{}", std::process::id());
        let all = sandbox.netctl(["fd", "inspect", &target, "--json"]).expect_code(0).json();
        let all = all.as_array().unwrap();
        assert_eq!(all.iter().filter(|it| it["port"] == "db1").count(), 4);
        assert!(all.iter().all(|it| it["kind"] != "other"), "{all:?}");
    });
}

#[test]
fn a_macvtap_tells_its_interface_and_that_it_does_not_tell_the_rest() {
    host(|sandbox| {
        let queues = macvtap::open("mail1", 2, Header::Virtio).unwrap();
        let queue = inspected(sandbox, &mine(&queues[1]));
        let keys = ["kind", "interface", "port", "network", "queue", "namespace"];
        assert_eq!(some(&queue, keys), json!(["macvtap-queue", "mail1", "mail1", "outside", null, "this"]));
        assert_eq!(
            queue["note"],
            "a macvtap tells neither its send buffer nor whether its queue is attached"
        );
        assert_eq!(queue["features"], json!(["tap", "no_pi", "vnet_hdr", "multi_queue"]));
        // Where the interface is not, its number is nobody's.
        Sandbox::run(|elsewhere| {
            let queue = inspected(elsewhere, &mine(&queues[1]));
            assert_eq!(some(&queue, ["interface", "port", "namespace"]), json!(["mail1", null, "another"]));
        });
    });
}

#[test]
fn a_queue_of_another_namespace_belongs_to_no_port_of_this_one() {
    host(|there| {
        let queues = tap::open("web1", 1, Header::Virtio).unwrap();
        let target = mine(&queues[0]);
        host(|here| {
            let queue = inspected(here, &target);
            assert_eq!(
                some(&queue, ["interface", "port", "network", "namespace"]),
                json!(["web1", null, null, "another"])
            );
        });
        assert_eq!(inspected(there, &target)["port"], "web1");
    });
}

#[test]
fn queues_and_their_flags_are_told_without_a_policy() {
    Sandbox::run(|sandbox| {
        sandbox.ip("tuntap add loose mode tap");
        let queues = tap::open("loose", 1, Header::None).unwrap();
        let queue = inspected(sandbox, &mine(&queues[0]));
        assert_eq!(some(&queue, ["interface", "port", "header_bytes"]), json!(["loose", null, null]));
        assert_eq!(queue["flags"], json!(["tap", "no_pi", "persist"]));
        let empty = OpenOptions::new().read(true).write(true).open("/dev/net/tun").unwrap();
        let note = "it has no interface: TUNSETIFF did not give it one, or the interface was deleted";
        assert_eq!(inspected(sandbox, &mine(&empty))["note"], note);
        sandbox.ip("link delete loose");
        assert_eq!(inspected(sandbox, &mine(&queues[0]))["note"], note);
        assert!(tap::info(queues[0].as_fd()).is_err_and(|e| e.raw_os_error() == Some(libc::EBADFD)));
    });
}

#[test]
fn sockets_tell_their_ends() {
    host(|sandbox| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let stream = TcpStream::connect(&address).unwrap();
        let it = inspected(sandbox, &mine(&listener));
        assert_eq!(it["kind"], "inet-socket");
        assert_eq!(some(&it["socket"], ["type", "local", "listening"]), json!(["stream", address, true]));
        assert_eq!(inspected(sandbox, &mine(&stream))["socket"]["peer"], address);

        let path = "/run/vm.sock";
        let listener = UnixListener::bind(path).unwrap();
        let stream = UnixStream::connect(path).unwrap();
        let it = inspected(sandbox, &mine(&listener));
        assert_eq!(some(&it["socket"], ["type", "local", "peer"]), json!(["stream", path, null]));
        let it = inspected(sandbox, &mine(&stream));
        let wanted = json!([null, path, std::process::id()]);
        assert_eq!(some(&it["socket"], ["local", "peer", "peer_pid"]), wanted);

        let frames = PacketSocket::open("web1", 0x0806).unwrap();
        let it = inspected(sandbox, &mine(&frames));
        assert_eq!(some(&it, ["kind", "interface", "port"]), json!(["packet-socket", "web1", "web1"]));
        assert_eq!(some(&it["socket"], ["type", "ethertype"]), json!(["raw", 0x0806]));
    });
}

/// As for a user who may look at a process but not take copies of its descriptors.
#[test]
fn what_may_not_be_copied_is_read_from_proc() {
    // /proc lists the sockets of the namespace that the process began in.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    host(|sandbox| {
        let queues = tap::open("db1", 4, Header::Virtio).unwrap();
        let macvtap = macvtap::open("mail1", 1, Header::Virtio).unwrap();
        let note =
            "read from /proc, as a copy of the descriptor is not permitted: run as root to have the rest";
        let facts = [
            (mine(&queues[2]), json!(["tap-queue", "db1", [], note])),
            (mine(&macvtap[0]), json!(["macvtap-queue", null, [], note])),
            (mine(&listener), json!(["inet-socket", null, [], note])),
        ];
        for (target, wanted) in facts {
            let mut command = Command::new(cli::binary().unwrap());
            command.args(["fd", "inspect", &target, "--json"]);
            seccomp::refuse(&mut command, libc::SYS_pidfd_getfd, libc::EPERM);
            let it = sandbox.finish(command).unwrap().expect_code(0).json();
            assert_eq!(some(&it[0], ["kind", "interface", "flags", "note"]), wanted);
        }
    });
}
