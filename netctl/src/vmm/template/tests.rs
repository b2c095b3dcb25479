//! Placeholders: what they become, and what is said about those that become nothing.

use super::*;
use crate::config::{Mac, PortKind, TapOptions};

fn port(name: &str) -> RunPort {
    RunPort {
        name: name.into(),
        interface: format!("if,{name}"),
        mac: Mac([2, 0, 0, 0, 0, 1]),
        kind: PortKind::Tap,
        queues: 2,
        vhost: Vhost::Off,
        tap: TapOptions::default(),
        vdpa: None,
        mtu: None,
    }
}

fn launch(command: &[&str]) -> Launch {
    Launch { command: command.iter().map(Into::into).collect(), ..Launch::default() }
}

fn fill(ports: &[&str], command: &[&str]) -> Result<Vec<String>, TemplateError> {
    let ports: Vec<_> = ports.iter().map(|name| port(name)).collect();
    let template = Template::parse(&launch(command), &ports)?;
    let open = |(index, port)| OpenPort {
        port,
        fds: vec![10 * index + 3, 10 * index + 4],
        vhost_fds: Err("the port says `vhost = \"off\"`".into()),
    };
    let open: Vec<_> = (0..).zip(&ports).map(open).collect();
    Ok(template.fill(&open)?.into_iter().map(|a| a.into_string().unwrap()).collect())
}

#[test]
fn a_placeholder_alone_becomes_several_arguments() {
    let filled = fill(&["web1"], &["qemu", "-m", "1G", "{web1}", "-S"]).unwrap();
    assert_eq!(filled.len(), 8);
    assert_eq!(filled[..4], ["qemu", "-m", "1G", "-netdev"]);
    assert_eq!(filled[7], "-S");
}

#[test]
fn each_port_gets_its_own_descriptors() {
    let filled = fill(&["a", "b"], &["vmm", "--net=fd={b.fds}", "x={a.fds},q={a.queues}"]).unwrap();
    assert_eq!(filled, ["vmm", "--net=fd=13:14", "x=3:4,q=2"]);
}

#[test]
fn facts_are_replaced_inside_an_argument() {
    let filled = fill(&["a"], &["{a.mac}", "{a.ifname}{a.fds}"]).unwrap();
    assert_eq!(filled, ["02:00:00:00:00:01", "if,a3:4"]);
}

#[test]
fn braces_that_are_no_placeholders_stay() {
    let json = r#"{"driver":"virtio","opts":{"a":1}}"#;
    let filled = fill(&["a"], &["{a.fds}", json, "{}", "{ a }", "${a", "{{a.fds}", "{{x}"]).unwrap();
    assert_eq!(filled, ["3:4", json, "{}", "{ a }", "${a", "{a.fds}", "{x}"]);
}

#[test]
fn a_name_with_a_dot_is_a_port_before_it_is_a_key() {
    let filled = fill(&["a.mac", "a"], &["kvm", "{a.fds}", "{a.mac.mac}", "{a.mac}"]).unwrap();
    assert_eq!(filled[1..3], ["13:14", "02:00:00:00:00:01"]);
    assert_eq!(filled[3], "-netdev");
}

#[test]
fn arguments_that_are_not_utf8_pass() {
    let raw = OsString::from_vec(vec![b'x', 0xff, b'{']);
    let template = Template::parse(&Launch { command: vec![raw.clone()], ..Launch::default() }, &[]).unwrap();
    assert_eq!(template.fill(&[]).unwrap(), [raw]);
}

#[test]
fn lists_have_commas_where_the_placeholder_has_one() {
    let filled = fill(&["a"], &["fd=[{a.fds,}]", "{a.fds}", "{a.queues,}", "{a,}", "{x,y}"]).unwrap();
    assert_eq!(filled, ["fd=[3,4]", "3:4", "2", "{a,}", "{x,y}"]);
}

#[test]
fn a_port_is_written_in_the_syntax_of_the_program_that_is_run() {
    let written = |program: &str| fill(&["a"], &[program, "{a}"]).unwrap()[1..].join(" ");
    assert!(written("/usr/bin/qemu-system-x86_64").starts_with("-netdev tap,id=a,fds=3:4 "));
    assert_eq!(written("cloud-hypervisor"), "--net fd=[3,4],mac=02:00:00:00:00:01,num_queues=4");
}

/// What [`Template::needs`] says of port `a`, which `vhost` is said of.
fn needs(vhost: Vhost, command: &[&str]) -> (bool, bool) {
    let ports = [RunPort { vhost, queues: 1, ..port("a") }];
    let needs = Template::parse(&launch(command), &ports).unwrap().needs(0);
    (needs.queues, needs.vhost)
}

#[test]
fn only_descriptors_that_the_command_names_are_needed() {
    for (command, wanted) in [
        (["qemu", "{a}"], (true, true)),
        (["cloud-hypervisor", "{a}"], (true, false)),
        (["crosvm", "{a}"], (true, false)),
        (["vmm", "{a.fds}"], (true, false)),
        (["vmm", "{a.fds}{a.vhostfds}"], (true, true)),
        (["vmm", "{a.ifname}"], (false, false)),
        (["firecracker", "{a.ifname}"], (false, false)),
    ] {
        assert_eq!(needs(Vhost::Auto, &command), wanted, "{command:?}");
    }
    assert_eq!(needs(Vhost::On, &["vmm", "{a.ifname}"]), (false, false), "it opens vhost-net itself");
}

fn refused(port: RunPort, command: [&str; 2]) -> String {
    Template::parse(&launch(&command), &[port]).unwrap_err().to_string()
}

#[test]
fn what_a_vmm_cannot_use_is_refused_with_the_reason() {
    let insists = || RunPort { vhost: Vhost::On, queues: 1, ..port("a") };
    for (port, command, wanted) in [
        (port("a"), ["vmm", "{a}"], "of `vmm` for a NIC are not known; say whose they are with `--vmm qemu|"),
        (port("a"), ["vmm", "{a}"], "or write them with `{a.fds}`"),
        (port("a"), ["crosvm", "{a}"], "port `a` is not for crosvm: it takes one descriptor"),
        (
            insists(),
            ["cloud-hypervisor", "{a}"],
            "port `a` is not for cloud-hypervisor: it knows no vhost-net",
        ),
        (insists(), ["vmm", "{a.fds}"], "no place for its descriptors; put `{a.vhostfds}` beside"),
        (port("a"), ["firecracker", "{a.ifname}"], "port `a` is not for firecracker: it has one queue"),
        (
            RunPort { queues: 1, ..port("a") },
            ["firecracker", "{a}"],
            "put what `netctl open a --for firecracker` prints into",
        ),
    ] {
        let error = refused(port, command);
        assert!(error.contains(wanted), "{command:?}: {error}");
    }
}

#[test]
fn what_cannot_be_filled_in_says_what_to_do() {
    let error = |ports: &[&str], command: &[&str]| fill(ports, command).unwrap_err().to_string();
    assert_eq!(error(&[], &[]), TemplateError::NoCommand.to_string());
    assert!(error(&["a"], &["vmm"]).contains("put `{a}` where"));
    assert!(error(&["a"], &["kvm", "{a}", "{b}"]).contains("`{b}` names no port of this command"));
    assert!(error(&["a"], &["{a}", "{b.fds}"]).contains("`{b.fds}` names no port"));
    assert!(
        error(&["a"], &["{a}", "{a.ip}"])
            .contains("there are fds, vhostfds, mac, ifname, queues, stream and dgram")
    );
    assert!(error(&["a"], &["x={a}"]).contains("an argument of its own in `x={a}`"));
    assert!(error(&["a"], &["kvm", "{a}", "{a}"]).contains("twice"));
    assert!(error(&["a", "a"], &["kvm", "{a}"]).contains("twice"));
    assert!(error(&["a"], &["{a.vhostfds}"]).contains("vhost = \"off\""));
}

#[test]
fn a_socket_is_a_nic_where_it_stands_alone_and_else_a_number() {
    let filled = fill(&["a", "b"], &["qemu", "{a.stream}", "socket,id=n,fd={b.dgram},mac={b.mac}"]).unwrap();
    assert_eq!(filled[1..3], ["-netdev", "stream,id=a,addr.type=fd,addr.str=3:4"]);
    assert_eq!(filled[5], "socket,id=n,fd=13:14,mac=02:00:00:00:00:01");
}

#[test]
fn a_port_is_handed_over_in_one_way() {
    let error = |command: &[&str]| fill(&["a"], command).unwrap_err().to_string();
    for mixed in [["qemu", "{a}", "{a.stream}"], ["qemu", "{a.stream}", "{a.dgram}"]] {
        assert!(error(&mixed).contains("twice"), "{}", error(&mixed));
    }
    for mixed in [["x={a.fds}", "{a.stream}"], ["x={a.stream}", "x={a.dgram}"], ["{a}", "x={a.dgram}"]] {
        let mixed = [&["qemu"], &mixed[..]].concat();
        assert!(error(&mixed).contains("one NIC for a port"), "{}", error(&mixed));
    }
    assert!(error(&["{a.mcast}"]).contains("without crossing a port"));
    assert!(error(&["{a.packet}"]).contains("past the port's programs"));
}

#[test]
fn a_socket_as_a_nic_is_for_qemu() {
    let error = |command: &[&str]| fill(&["a"], command).unwrap_err().to_string();
    assert!(error(&["crosvm", "{a.stream}"]).contains("not for crosvm: it takes no sockets"));
}
