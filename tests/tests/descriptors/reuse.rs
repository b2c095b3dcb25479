//! Descriptors that outlive their VMM: a supervisor starts QEMU on them, and another one when that has ended.

use std::os::fd::AsFd;

use netctl::fd::tap::{self, Header};
use netctl::fd::{macvtap, reuse::Returned};
use netctl_tests::cli;
use netctl_tests::process::Finished;
use netctl_tests::sandbox::Sandbox;
use serde_json::json;

use crate::lab::{host, inspected, mine};

/// 10: the first QEMU failed. 11: the reset failed. 12: the second QEMU failed.
const SUPERVISOR: &str = r#"
ulimit -c 0
guest() {
    echo quit | qemu-system-x86_64 -machine q35,accel=tcg -m 64M -nodefaults -display none -S -monitor stdio \
        -netdev "tap,id=n,fds=$fds" -device virtio-net-pci,netdev=n,mq=on,vectors=10
}
netctl=$1 fds=$2 between=$3
guest || exit 10
if [ "$between" = reset ]; then "$netctl" fd reset $(echo "$fds" | tr : ' ') || exit 11; fi
guest || exit 12
"#;

fn supervised(sandbox: &Sandbox, port: &str, between: &str) -> Finished {
    let netctl = cli::binary().unwrap();
    let fds = format!("{{{port}.fds}}");
    sandbox.netctl([
        "run",
        port,
        "--",
        "bash",
        "-c",
        SUPERVISOR,
        "sh",
        netctl.to_str().unwrap(),
        &fds,
        between,
    ])
}

#[test]
fn a_second_qemu_takes_the_queues_of_the_first_after_a_reset_and_aborts_without() {
    host(|sandbox| {
        for (port, kind) in [("db1", "tap"), ("mail1", "macvtap")] {
            let done = supervised(sandbox, port, "reset").expect_code(0);
            assert_eq!(done.stdout.matches(&format!(": {kind} queue of {port}, ")).count(), 4, "{done}");
            let done = supervised(sandbox, port, "nothing").expect_code(12);
            assert!(done.stderr.contains("could not disable queue"), "{done}");
        }
    });
}

#[test]
fn a_queue_is_as_new_after_a_reset() {
    host(|sandbox| {
        let queues = tap::open("db1", 4, Header::Virtio).unwrap();
        tap::set_header_len(queues[0].as_fd(), 12).unwrap();
        tap::set_offloads(queues[0].as_fd(), 1).unwrap();
        tap::detach(queues[2].as_fd()).unwrap();
        assert_eq!(inspected(sandbox, &mine(&queues[2]))["queue"], "detached");
        for queue in &queues {
            Returned::new(3, queue.try_clone().unwrap()).unwrap().reset(&tap::Options::default()).unwrap();
        }
        let queue = inspected(sandbox, &mine(&queues[2]));
        assert_eq!((&queue["queue"], &queue["header_bytes"]), (&json!("attached"), &json!(10)));

        let queues = macvtap::open("mail1", 2, Header::Virtio).unwrap();
        tap::set_header_len(queues[1].as_fd(), 12).unwrap();
        tap::detach(queues[1].as_fd()).unwrap();
        let returned = Returned::new(3, queues[1].try_clone().unwrap()).unwrap();
        returned.reset(&tap::Options::default()).unwrap();
        assert_eq!(inspected(sandbox, &mine(&queues[1]))["header_bytes"], 10);
        // It could be detached again only if it is attached.
        tap::detach(queues[1].as_fd()).unwrap();
    });
}

#[test]
fn what_is_no_queue_is_refused_before_anything_is_changed() {
    host(|sandbox| {
        let netctl = cli::binary().unwrap();
        let refused = |script: &str, wanted: &str| {
            let words = ["run", "db1", "--", "bash", "-c", script, netctl.to_str().unwrap(), "{db1.fds}"];
            let done = sandbox.netctl(words).expect_code(2);
            assert_eq!(done.stdout, "", "{done}");
            assert!(done.stderr.trim_end().ends_with(wanted), "no `{wanted}`\n{done}");
        };
        let all = r#"exec "$0" fd reset $(echo "$1" | tr : ' ')"#;
        refused(
            &format!("exec 0</dev/null; {all} 0"),
            "descriptor 0 is no network descriptor; only queues of taps and macvtaps are reset",
        );
        refused(
            &format!("{all} 77"),
            "descriptor 77 is not open in netctl; pass it on, as a shell does with `77<&77`",
        );
        refused(&format!("ip link delete db1; {all}"), ": its interface is gone; open the port again");
        let done = sandbox.netctl(["fd", "reset", "x"]).expect_code(2);
        assert!(done.stderr.contains("invalid value 'x'"), "{done}");
    });
}
