//! Ports whose guest drives a vDPA device: they are not filtered, and it is said wherever it matters. No device is
//! needed: this kernel has none.

use std::fs;

use netctl_tests::sandbox::Sandbox;

const DOCUMENT: &str = r#"
[networks.lab]
kind = "bridge"

[ports.fast1]
network = "lab"
mac = "52:54:00:00:00:41"
addresses = ["10.0.0.41"]
vdpa = "/dev/vhost-vdpa-4711"
filter = "none"

[policy]
default = "deny"
"#;

#[test]
fn a_vdpa_port_is_refused_unless_the_document_does_without_the_policy() {
    Sandbox::run(|sandbox| {
        fs::write("/run/host.toml", DOCUMENT.replace("filter = \"none\"\n", "")).unwrap();
        for verb in ["check", "apply"] {
            let done = sandbox.netctl([verb, "/run/host.toml"]).expect_code(1);
            let wanted = "the frames of a vDPA device cross no interface of the host and cannot be filtered";
            assert!(done.stderr.contains(wanted), "{done}");
        }
    });
}

#[test]
fn a_vdpa_port_is_told_not_to_be_filtered_and_leaves_no_interface() {
    Sandbox::run(|sandbox| {
        fs::write("/run/host.toml", DOCUMENT).unwrap();
        let check = sandbox.netctl(["check", "/run/host.toml"]).expect_code(0);
        assert!(check.stderr.contains("no policy is enforced at this port: its vDPA device"), "{check}");
        sandbox.netctl(["apply", "/run/host.toml"]).expect_code(0);
        assert!(!sandbox.ip("-brief link").contains("fast1"));
        let rows = sandbox.netctl(["port", "list", "--json"]).expect_code(0).json();
        let facts = ["kind", "state", "filtered"].map(|key| rows[0][key].to_string());
        assert_eq!(facts, ["\"vdpa\"", "\"not filtered\"", "false"]);
        let shown = sandbox.netctl(["show"]).expect_code(0).stdout;
        assert!(shown.contains("vdpa = \"/dev/vhost-vdpa-4711\"\nfilter = \"none\"\n"), "{shown}");
        let stats = sandbox.netctl(["stats", "--port", "fast1"]).expect_code(2);
        assert!(stats.stderr.contains("port `fast1` is not filtered"), "{stats}");

        let run = sandbox.netctl(["run", "fast1", "--", "qemu-system-x86_64", "{fast1}"]).expect_code(2);
        let wanted = "port `fast1`: cannot open /dev/vhost-vdpa-4711; `modprobe vhost_vdpa` makes it";
        assert!(run.stderr.contains(wanted), "{run}");
        // The default of a port without the device: a tap, which is filtered.
        fs::write(
            "/run/host.toml",
            DOCUMENT.replace("vdpa = \"/dev/vhost-vdpa-4711\"\nfilter = \"none\"\n", ""),
        )
        .unwrap();
        sandbox.netctl(["apply", "/run/host.toml"]).expect_code(0);
        let rows = sandbox.netctl(["port", "list", "--json"]).expect_code(0).json();
        assert_eq!((rows[0]["kind"].as_str(), rows[0]["filtered"].as_bool()), (Some("tap"), Some(true)));
        // And back: the tap goes, as nothing is behind it.
        fs::write("/run/host.toml", DOCUMENT).unwrap();
        sandbox.netctl(["apply", "/run/host.toml"]).expect_code(0);
        assert!(!sandbox.ip("-brief link").contains("fast1"));
    });
}
