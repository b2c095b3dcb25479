//! `netctl run` as far as the VMM: what the program that replaces the process has, and what QEMU makes of it.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use netctl::config::{PortKind, TapOptions, Vhost};
use netctl::network::{Netlink, queues_in_use};
use netctl::vmm::RunPort;
use netctl::vmm::open::OpenError;
use netctl::vmm::run::{Launch, RunError, prepare, run};
use serde_json::{Value, json};

use super::document::{apply_document, guest_mac, lab_with_ports};
use super::host::queues_closed;
use super::namespace::isolated;

/// Set in the process that is to be replaced.
const CHILD: &str = "NETCTL_TEST_RUN";

fn run_port(number: u8, queues: u16) -> RunPort {
    RunPort {
        name: format!("web{number}"),
        interface: format!("web{number}"),
        mac: guest_mac(number),
        kind: PortKind::Tap,
        queues,
        vhost: Vhost::Auto,
        tap: TapOptions::default(),
        vdpa: None,
        mtu: Some(1500),
    }
}

/// `web1` with one queue, `web2` with three.
async fn two_ports(netlink: &Netlink) -> Vec<RunPort> {
    let mut config = lab_with_ports(2);
    config.ports.get_mut("web2").unwrap().queues = 3;
    apply_document(netlink, &config).await;
    vec![run_port(1, 1), run_port(2, 3)]
}

fn launch(command: &[&str]) -> Launch {
    Launch { command: command.iter().map(OsString::from).collect(), ..Launch::default() }
}

/// Starts this test again in a process that calls `run` with `command` and so becomes the VMM. It stays
/// in the namespaces of the caller.
fn become_vmm(test: &str, command: &[&str]) -> Command {
    let mut process = Command::new(std::env::current_exe().unwrap());
    process.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    process.env(CHILD, serde_json::to_string(command).unwrap());
    process
}

/// The other side of [`become_vmm`]: never returns if this is the process to be replaced.
fn be_replaced() {
    let Ok(command) = std::env::var(CHILD) else { return };
    let command: Vec<String> = serde_json::from_str(&command).unwrap();
    let launch = Launch { command: command.into_iter().map(Into::into).collect(), ..Launch::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(async {
        let netlink = Netlink::connect().unwrap();
        run(&netlink, &[run_port(1, 1), run_port(2, 3)], launch).await
    });
    panic!("{:?}", error.unwrap_err());
}

/// What the test process itself got from whoever started it, and every child of it has: not close-on-exec.
fn inherited_by_this_process() -> Vec<String> {
    let fds =
        std::fs::read_dir("/proc/self/fd").unwrap().map(|fd| fd.unwrap().file_name().into_string().unwrap());
    fds.filter(|fd| {
        std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).is_ok_and(|info| !closes(&info))
    })
    .collect()
}

/// `11 -> /dev/net/tun` of a line of ls.
fn last_three_words(line: &str) -> String {
    let words: Vec<_> = line.split(' ').collect();
    words[words.len() - 3..].join(" ")
}

/// O_CLOEXEC in the flags of /proc/PID/fdinfo/FD.
fn closes(fdinfo: &str) -> bool {
    let flags = fdinfo.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
    u32::from_str_radix(flags, 8).unwrap() & 0o2_000_000 != 0
}

#[test]
fn run_becomes_the_vmm_with_the_ports_descriptors_and_no_others() {
    be_replaced();
    isolated(async |netlink| {
        two_ports(netlink).await;
        // No pipe and no loop: the shell itself is not to hold anything while it is looked at.
        let script = "echo; echo handed $0:$1; ls -l /proc/$$/fd; kill -PIPE $$";
        let command = ["sh", "-c", script, "{web1.fds}", "{web2.fds}"];
        let test = "vmm::run_becomes_the_vmm_with_the_ports_descriptors_and_no_others";
        let output = become_vmm(test, &command).stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        let handed =
            text.lines().find_map(|line| line.strip_prefix("handed ")).unwrap_or_else(|| panic!("{errors}"));
        let mut handed: Vec<_> = handed.split(':').map(|fd| format!("{fd} -> /dev/net/tun")).collect();
        handed.sort();
        let inherited = inherited_by_this_process();
        let mut open: Vec<_> =
            text.lines().filter(|line| line.contains(" -> ")).map(last_three_words).collect();
        open.retain(|line| inherited.iter().all(|fd| !line.starts_with(&format!("{fd} "))));
        open.sort();
        assert_eq!(open, handed);
        assert_eq!(handed.len(), 4);
        // Rust ignores SIGPIPE; the VMM must not inherit that.
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output.status), Some(13), "{errors}");
    });
}

#[test]
fn a_port_that_a_guest_holds_is_not_opened_again() {
    isolated(async |netlink| {
        let ports = two_ports(netlink).await;
        let command = || launch(&["qemu", "{web1}", "{web2}"]);
        let guest = prepare(netlink, &ports, command()).await.unwrap();
        for port in &ports {
            let command = launch(&["qemu", &format!("{{{}}}", port.name)]);
            let error = prepare(netlink, std::slice::from_ref(port), command).await.unwrap_err();
            assert!(matches!(error, RunError::Open(OpenError::InUse { .. })), "{error}");
        }
        // The look at the multi-queue tap did not disturb it.
        assert_eq!(queues_in_use(netlink, "web2").await.unwrap(), 3);
        drop(guest);
        queues_closed("web1");
        queues_closed("web2");
        let _again = prepare(netlink, &ports, command()).await.unwrap();
    });
}

#[test]
fn nothing_is_opened_for_a_command_that_is_wrong() {
    isolated(async |netlink| {
        let ports = two_ports(netlink).await;
        let error = prepare(netlink, &ports, launch(&["qemu", "{web1}"])).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "port `web2` has no place in the arguments; put `{web2}` where the VMM's network options go"
        );
        assert_eq!(queues_in_use(netlink, "web1").await.unwrap(), 0);
    });
}

#[test]
fn a_port_that_does_not_exist_is_named() {
    isolated(async |netlink| {
        let error = prepare(netlink, &[run_port(1, 1)], launch(&["qemu", "{web1}"])).await;
        let RunError::Open(OpenError::Network { port, source }) = error.unwrap_err() else {
            panic!("another error")
        };
        assert_eq!(
            (port.as_str(), source.to_string().as_str()),
            (
                "web1",
                "cannot read interface `web1`: there is no interface `web1` now; run `netctl apply` again"
            )
        );
    });
}

/// A QEMU that `run` started, with its monitor (QMP) on standard input and output; killed on drop.
struct Qemu {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Qemu {
    fn start(mut command: Command) -> Self {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut qemu = Self { process, input, output };
        // libtest's own lines come first.
        let mut seen = String::new();
        while !seen.contains("{\"QMP\"") {
            let length = qemu.output.read_line(&mut seen).unwrap();
            assert!(length > 0, "QEMU did not start; `cargo xtask setup` installs it: {seen}");
        }
        qemu.ask(&json!({ "execute": "qmp_capabilities" }));
        qemu
    }

    fn ask(&mut self, command: &Value) -> String {
        writeln!(self.input, "{command}").unwrap();
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "QEMU ended at {command}");
            let answer: Value = serde_json::from_str(&line).unwrap();
            assert!(answer.get("error").is_none(), "{command}: {answer}");
            if let Some(value) = answer.get("return") {
                return value.as_str().unwrap_or_default().to_owned();
            }
        }
    }

    fn monitor(&mut self, line: &str) -> String {
        self.ask(&json!({ "execute": "human-monitor-command", "arguments": { "command-line": line } }))
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        let _gone_already = self.process.kill();
        let _status = self.process.wait();
    }
}

#[test]
fn qemu_takes_the_ports_as_they_are_handed_over() {
    be_replaced();
    isolated(async |netlink| {
        two_ports(netlink).await;
        let line = "qemu-system-x86_64 -nodefaults -display none -S -qmp stdio -accel tcg {web1} {web2}";
        let command: Vec<_> = line.split(' ').collect();
        let mut qemu = Qemu::start(become_vmm("vmm::qemu_takes_the_ports_as_they_are_handed_over", &command));
        let network = qemu.monitor("info network");
        let devices = qemu.monitor("info qtree");
        assert_eq!(queues_in_use(netlink, "web2").await.unwrap(), 3);
        qemu.ask(&json!({ "execute": "quit" }));
        assert!(qemu.process.wait().unwrap().success());

        let nic = "web1-nic: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:00:00:01";
        assert!(network.contains(nic), "{network}");
        assert_eq!(network.matches("type=tap,fd=").count(), 4, "{network}");
        for fact in ["host_mtu = 1500", "vectors = 8", "mq = true"] {
            assert!(devices.contains(fact), "{fact}: {devices}");
        }
    });
}
