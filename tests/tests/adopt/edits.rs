//! `port add` and `port remove` change one section of the running document, and the host with it.

use netctl_tests::sandbox::Sandbox;

use super::{BRIDGE, apply, bridge, netctl};

#[test]
fn a_port_comes_and_goes_and_the_rest_of_the_document_stays_as_it_was_written() {
    Sandbox::run(|sandbox| {
        bridge(sandbox, "br0");
        apply(sandbox, BRIDGE).expect_code(0);
        let add = "port add web1 --network lab --mac 52:54:00:00:00:11 --address 10.0.0.11 --group web --queues 2 \
                   --owner 7 --mtu 1400 --vhost off";
        let planned = netctl(sandbox, &format!("{add} --dry-run"), 0);
        assert!(planned.stdout.starts_with("+ tap web1: port web1, 2 queues"), "{planned}");
        assert!(planned.stdout.contains("+ port (line 16): web1"), "{planned}");
        assert_eq!(netctl(sandbox, "show", 0).stdout, BRIDGE);

        let said = netctl(sandbox, &format!("{add} --json"), 0).json();
        assert_eq!(said["generation"], 2);
        let section = "\n[ports.web1]\nnetwork = \"lab\"\nmac = \"52:54:00:00:00:11\"\nvhost = \"off\"\nqueues = 2\n\
                       mtu = 1400\nowner = 7\naddresses = [\"10.0.0.11\"]\ngroups = [\"web\"]\n";
        assert_eq!(netctl(sandbox, "show", 0).stdout, format!("{BRIDGE}{section}"));
        sandbox.ip("link show dev web1");

        let said = netctl(sandbox, "port remove web1", 0);
        assert_eq!(said.stdout, "- tap web1: port web1\ngeneration 3: 1 rules for 0 ports\n");
        assert_eq!(netctl(sandbox, "show", 0).stdout, BRIDGE);
    });
}

#[test]
fn a_port_that_cannot_be_is_shown_in_the_edited_document() {
    Sandbox::run(|sandbox| {
        bridge(sandbox, "br0");
        apply(sandbox, BRIDGE).expect_code(0);
        let done = netctl(sandbox, "port add web1 --network lap --address 10.0.0.999", 1);
        for wanted in
            ["the running document, edited:17:11", "did you mean `lab`?", "`10.0.0.999` is no IP address"]
        {
            assert!(done.stderr.contains(wanted), "no `{wanted}`\n{done}");
        }
        netctl(sandbox, "port add web1 --network lab --address 10.0.0.11", 0);
        assert!(
            netctl(sandbox, "port add web1 --network lab", 2)
                .stderr
                .contains("there is a port `web1` already")
        );
        let missing = netctl(sandbox, "port remove web2", 2);
        assert!(
            missing.stderr.contains("no port `web2` in the running document; did you mean `web1`?"),
            "{missing}"
        );
    });
}

#[test]
fn a_port_that_a_rule_names_stays() {
    Sandbox::run(|sandbox| {
        bridge(sandbox, "br0");
        let document = BRIDGE.replace("from = \"web\"", "from = \"web1\"");
        let document = format!("[ports.web1]\nnetwork = \"lab\"\naddresses = []\n\n{document}");
        apply(sandbox, &document).expect_code(0);
        let done = netctl(sandbox, "port remove web1", 1);
        assert!(done.stderr.contains("there is no port, group or set `web1`"), "{done}");
        sandbox.ip("link show dev web1");
    });
}
