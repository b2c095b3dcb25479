//! Files that a caller could have prepared, and callers that prepare their descriptors, environment and the log.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use netctl_tests::sandbox::Sandbox;

use crate::client::ask;
use crate::world::{ALICE, BRIDGE_CONF, GRANTS, OURS, World, put, tmpfs};

const GRANT: &str = "[[grant]]\nusers = [\"alice\"]\nnetworks = [\"lab\"]\n";

fn lab(sandbox: &Sandbox) -> World<'_> {
    let world = World::with_lab(sandbox);
    world.install("cap_net_admin+p");
    world
}

fn mode(path: &str, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Asks after `prepare`, is refused for the reason, and gets a port again once the folder is as it was.
#[track_caller]
fn refused(world: &World<'_>, file: &str, reason: &str, prepare: impl FnOnce()) {
    let folder = Path::new(file).parent().unwrap();
    prepare();
    world.bridge(ALICE, "lab").expect_refusal(reason);
    let decision = world.logged();
    assert!(decision.contains(": refused"), "{decision}");
    let _ = fs::remove_dir_all(folder);
    put(BRIDGE_CONF, Some("allow lab\n"));
    assert_eq!(world.bridge(ALICE, "lab").interface(), "a1", "after `{reason}`");
    world.log();
    put(BRIDGE_CONF, None);
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn a_grants_file_that_others_can_change_is_worth_nothing() {
    Sandbox::run(|sandbox| {
        let world = lab(sandbox);
        let grants = |reason: &str, prepare: &dyn Fn()| {
            refused(&world, GRANTS, reason, || {
                put(GRANTS, Some(GRANT));
                prepare();
            });
        };
        grants("`/etc/netctl/grants.toml` can be written by others than root", &|| mode(GRANTS, 0o666));
        grants("`/etc/netctl/grants.toml` can be written by others than root", &|| mode(GRANTS, 0o664));
        grants("`/etc/netctl` can be written by others than root", &|| mode("/etc/netctl", 0o1777));
        grants("`/etc/netctl/grants.toml` is not owned by root", &|| {
            chown(GRANTS, Some(1001), None).unwrap()
        });
        grants("`/etc/netctl` is not owned by root", &|| chown("/etc/netctl", Some(1001), None).unwrap());
        grants("cannot read `/etc/netctl/grants.toml`: Permission denied", &|| mode(GRANTS, 0o600));
        grants("cannot read `/etc/netctl/grants.toml`: Permission denied", &|| mode("/etc/netctl", 0o700));
        grants("`/etc/netctl/grants.toml` is a symbolic link", &|| {
            fs::rename(GRANTS, "/etc/netctl/real").unwrap();
            symlink("real", GRANTS).unwrap();
        });
        grants("`/etc/netctl` is no folder; symbolic links are not followed", &|| {
            fs::remove_dir_all("/etc/netctl").unwrap();
            put("/run/alice/grants.toml", Some(GRANT));
            symlink("/run/alice", "/etc/netctl").unwrap();
        });
        let _ = fs::remove_file("/etc/netctl");
        grants("`/etc/netctl/grants.toml` is no regular file", &|| {
            fs::remove_file(GRANTS).unwrap();
            nix::unistd::mkfifo(GRANTS, nix::sys::stat::Mode::from_bits_truncate(0o644)).unwrap();
        });
        grants("`/etc/netctl/grants.toml` has more than 1 MiB", &|| {
            put(GRANTS, Some(&"#\n".repeat(1 << 20)))
        });
        grants("`/etc/netctl/grants.toml`: line 3: `network` is not known", &|| {
            put(GRANTS, Some("\n\n[[grant]]\nnetwork = \"lab\"\n"));
        });
    });
}

#[test]
fn a_bridge_conf_that_cannot_be_relied_on_denies_everything() {
    Sandbox::run(|sandbox| {
        let world = lab(sandbox);
        let conf = |reason: &str, text: &str, prepare: &dyn Fn()| {
            refused(&world, BRIDGE_CONF, reason, || {
                put(BRIDGE_CONF, Some(text));
                prepare();
            });
        };
        conf("failed to parse default acl file `/etc/qemu/bridge.conf'", "allow all\n", &|| {
            mode(BRIDGE_CONF, 0o600)
        });
        conf("`/etc/qemu/bridge.conf` can be written by others", "allow all\n", &|| mode(BRIDGE_CONF, 0o646));
        conf("`/etc/qemu/bridge.conf` includes itself", "allow all\ninclude /etc/qemu/bridge.conf\n", &|| ());
        conf("`/etc/qemu/./b.conf` includes itself", "allow all\ninclude /etc/qemu/a.conf\n", &|| {
            put("/etc/qemu/a.conf", Some("include /etc/qemu/b.conf\n"));
            put("/etc/qemu/b.conf", Some("include /etc/qemu/./b.conf\n"));
        });
        conf("`/etc/qemu/f15` is included too deeply", "allow all\ninclude /etc/qemu/f0\n", &|| {
            for n in 0..20 {
                put(&format!("/etc/qemu/f{n}"), Some(&format!("include /etc/qemu/f{}\n", n + 1)));
            }
        });
        let many = "include /etc/qemu/a.conf\n".repeat(100);
        conf("too many files are", &format!("allow all\n{many}"), &|| {
            put("/etc/qemu/a.conf", Some("allow x\n"))
        });
        conf("`/etc/qemu/a.conf` can be written by others", "allow all\ninclude /etc/qemu/a.conf\n", &|| {
            put("/etc/qemu/a.conf", Some("deny all\n"));
            mode("/etc/qemu/a.conf", 0o666);
        });
        conf("`a.conf` is not an absolute path", "allow all\ninclude a.conf\n", &|| ());
        conf("`/etc/qemu/bridge.conf` has more than 1 MiB", &"allow all\n".repeat(200_000), &|| ());
        conf("access denied by acl file", "include /etc/qemu/secret.conf\n", &|| {
            put("/etc/qemu/secret.conf", Some("allow all\n"));
            mode("/etc/qemu/secret.conf", 0o600);
        });
    });
}

#[test]
fn a_log_that_takes_no_line_stops_a_grant_and_a_host_without_one_does_not() {
    Sandbox::run(|sandbox| {
        let world = lab(sandbox);
        put(GRANTS, Some(GRANT));
        // The kernel keeps net.unix.max_dgram_qlen datagrams that nobody reads.
        let full = (0..1000).find(|_| world.bridge(ALICE, "nowhere").code == Some(1) && is_full());
        assert!(full.is_some(), "the log never fills");
        world.bridge(ALICE, "lab").expect_refusal("the grant cannot be written to the log (/dev/log)");
        world.log();
        world.bridge(ALICE, "lab").interface();
        fs::remove_file("/dev/log").unwrap();
        world.bridge(ALICE, "lab").interface();
    });
}

fn is_full() -> bool {
    let socket = std::os::unix::net::UnixDatagram::unbound().unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.send_to(b"x", "/dev/log").is_err()
}

#[test]
fn the_callers_environment_and_descriptors_count_for_nothing() {
    Sandbox::run(|sandbox| {
        let world = lab(sandbox);
        put(GRANTS, Some(GRANT));
        let holder = "export NETCTL_BPFFS=/tmp NETCTL_NO_TCX=1 PATH=/tmp LD_PRELOAD=/tmp/x.so; exec 5>/run/open 6</etc/passwd; \
                      exec \"$0\" \"$@\"";
        let words = [
            "/usr/bin/setpriv",
            "--reuid=1001",
            "--regid=1001",
            "--clear-groups",
            "/bin/sh",
            "-c",
            holder,
            OURS,
        ];
        File::create("/run/open").unwrap();
        mode("/run/open", 0o666);
        let answer = ask(sandbox, &words, &["--br=lab", "--fd=0"]);
        assert_eq!(answer.interface(), "a1");
        assert!(world.logged().contains(" parent=\""));
    });
}

#[test]
fn a_name_with_line_ends_makes_no_second_line_in_the_log_or_on_a_terminal() {
    Sandbox::run(|sandbox| {
        let world = lab(sandbox);
        put(GRANTS, Some(GRANT));
        world.bridge(ALICE, "x\n<86>\u{1b}[2J").expect_refusal("`x\\n<86>\\u{1b}[2J` is no network or port");
        for line in world.log() {
            assert!(line.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{line:?}");
        }
    });
}

#[test]
fn set_uid_root_works_too_and_ends_up_as_the_caller() {
    Sandbox::run(|sandbox| {
        let world = lab(sandbox);
        put(GRANTS, Some(GRANT));
        let mut setcap = Command::new("setcap");
        setcap.args(["-r", OURS]);
        sandbox.finish(setcap).unwrap().expect_code(0);
        world.bridge(ALICE, "lab").expect_refusal("too few capabilities");
        mode(OURS, 0o4755);
        assert_eq!(world.bridge(ALICE, "lab").interface(), "a1");
        // What only root can read is not read.
        mode(GRANTS, 0o600);
        world.bridge(ALICE, "lab").expect_refusal("cannot read `/etc/netctl/grants.toml`: Permission denied");
        tmpfs("/etc/netctl");
        world.bridge(ALICE, "lab").expect_refusal("failed to parse default acl file");
    });
}
