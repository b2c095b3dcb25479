//! The hook `network`: a NIC that a running guest gets on a network of netctl's would be without the policy.

use netctl_tests::sandbox::Sandbox;

use super::{
    ADDRESSES, BRIDGE, MAC, OTHER_UUID, UUID, apply, bridge, call, domain, hook, nic, port, refused, tap,
};

fn hook_data(uuid: &str, mac: &str, bridge: &str) -> String {
    format!(
        "<hookData><network><name>lab</name><bridge name='{bridge}'/></network><networkport>\
         <uuid>{OTHER_UUID}</uuid><owner><name>g1</name><uuid>{uuid}</uuid></owner><mac address='{mac}'/>\
         <plug type='bridge' bridge='{bridge}'/></networkport></hookData>"
    )
}

#[test]
fn a_nic_for_a_running_guest_is_refused_and_for_a_starting_one_taken() {
    Sandbox::run(|sandbox| {
        let created = |xml: &str| call(sandbox, "network", ["lab", "port-created"], xml);
        let new = "52:54:00:00:00:12";
        created(&hook_data(UUID, new, "br0")).expect_code(0);
        bridge(sandbox, "br0");
        tap(sandbox, "vnet0", "br0");
        apply(sandbox, BRIDGE);
        created(&hook_data(UUID, new, "br0")).expect_code(0);
        let xml = domain(UUID, &port(MAC, "web1", ADDRESSES), &nic("network", MAC, "vnet0"));
        hook(sandbox, "start", &xml).expect_code(0);
        let wanted =
            "it runs already, and libvirt tells no hook of a NIC that is added then: on network `lab`";
        refused(created(&hook_data(UUID, new, "br0")), wanted);
        for fine in
            [hook_data(UUID, MAC, "br0"), hook_data(UUID, new, "br9"), hook_data(OTHER_UUID, new, "br0")]
        {
            created(&fine).expect_code(0);
        }
        // Ended while the daemon was down: it starts, it does not run.
        sandbox.ip("link del vnet0");
        created(&hook_data(UUID, new, "br0")).expect_code(0);
    });
}

#[test]
fn other_operations_of_networks_pass_without_a_word() {
    Sandbox::run(|sandbox| {
        for operation in ["start", "started", "stopped", "updated", "port-deleted", "other"] {
            let done = call(sandbox, "network", ["lab", operation], "<hookData/>").expect_code(0);
            assert_eq!(done.stderr, "");
        }
        call(sandbox, "network", ["lab", "port-created"], "<hookData><network/></hookData>").expect_code(0);
    });
}
