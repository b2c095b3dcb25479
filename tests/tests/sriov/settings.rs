//! What the NIC is told, as iproute2 reads it back, and what is left afterwards: nothing.

use super::nic::{Nic, document, json, link, netctl, refused, sh};

/// One port of each sort, on three functions.
fn three(pf: &str) -> String {
    format!(
        r#"
[networks.direct]
kind = "passthrough"
pool = {{ pf = "{pf}", vfs = 3 }}
[networks.tagged]
kind = "passthrough"
pool = {{ pf = "{pf}", vfs = 3, vlan = 100, rate = 500, spoof-check = false, trust = true }}
[ports.web1]
network = "direct"
mac = "52:54:00:00:00:11"
addresses = ["10.0.0.11"]
[ports.web2]
network = "tagged"
mac = "52:54:00:00:00:12"
addresses = ["10.0.0.12"]
[ports.raw]
network = "direct"
mac = "52:54:00:00:00:13"
addresses = ["10.0.0.13"]
vfio = true
filter = "none"
"#
    )
}

#[test]
fn a_pool_is_made_leased_set_and_taken_away_again() {
    let nic = Nic::new();
    let before = nic.snapshot();
    let file = document("three", &three(&nic.pf));
    netctl(&["apply", &file]);

    // In the order of the ports' names: raw, web1, web2.
    let vf = |number| {
        let vf = nic.vf(number);
        let facts = ["address", "vlan", "spoofchk", "trust"].map(|fact| vf[fact].to_string()).join(" ");
        format!("{facts} {}", vf["max_tx_rate"])
    };
    assert_eq!(vf(0), r#""52:54:00:00:00:13" null true false null"#);
    assert_eq!(vf(1), r#""52:54:00:00:00:11" null true false null"#);
    let tagged = nic.vf(2);
    assert_eq!(tagged["address"], "52:54:00:00:00:12");
    assert_eq!(tagged["vlan_list"][0]["vlan"].as_u64().or(tagged["vlan"].as_u64()), Some(100), "{tagged}");
    assert_eq!((&tagged["spoofchk"], &tagged["trust"]), (&false.into(), &true.into()));
    assert_eq!(tagged["rate"]["max_tx"].as_u64().or(tagged["max_tx_rate"].as_u64()), Some(500), "{tagged}");

    for (port, number) in [("web1", 1), ("web2", 2)] {
        let found = link(port);
        assert_eq!(found["linkinfo"]["info_kind"], "macvtap", "{found}");
        assert_eq!(found["linkinfo"]["info_data"]["mode"], "passthru", "{found}");
        assert_eq!(found["link"], nic.own(number).as_str(), "{found}");
        let own = link(&nic.own(number));
        assert_eq!(own["address"], found["address"]);
        // The NIC is not asked for other guests' frames.
        assert_eq!(own["promiscuity"], 0, "{own}");
        assert_eq!(sh(&format!("cat /proc/sys/net/ipv6/conf/{}/disable_ipv6", nic.own(number))), "1\n");
    }

    let rows = json(&["pool", "list", "--json"]);
    let leases: Vec<_> = rows.as_array().unwrap().iter().map(|row| row["port"].as_str()).collect();
    assert_eq!(leases, [Some("raw"), Some("web1"), Some("web2")]);
    assert_eq!(rows[2]["vlan"], 100);
    assert_eq!(rows[2]["driver"], "igbvf");
    let ports = json(&["port", "list", "--json"]);
    let filtered: Vec<_> = ports
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["name"].as_str(), &row["filtered"] == true))
        .collect();
    assert_eq!(filtered, [(Some("raw"), false), (Some("web1"), true), (Some("web2"), true)]);
    assert!(refused(&["run", "raw", "--", "true"]).contains("its guest drives its device itself"));
    assert_eq!(netctl(&["diff", &file]), "");

    netctl(&["down"]);
    assert_eq!(nic.snapshot(), before);
}

#[test]
fn functions_that_were_there_stay_and_get_their_settings_back() {
    let nic = Nic::new();
    let pf = &nic.pf;
    sh(&format!("ip link set {pf} up; sleep 3"));
    nic.set_vfs(3);
    sh(&format!(
        "ip link set {pf} vf 1 mac 02:aa:00:00:00:01; ip link set {pf} vf 1 vlan 7 qos 3; ip link set {pf} vf 1 spoofchk off"
    ));
    sh(&format!("ip link set {pf} vf 2 trust on; ip link set {} up", nic.own(2)));
    let before = nic.snapshot();
    let file = document("three", &three(pf));
    netctl(&["apply", &file]);
    assert_eq!(nic.vf(1)["address"], "52:54:00:00:00:11");
    assert_eq!(nic.vf(1)["spoofchk"], true);

    // One by one, then all.
    let one = three(pf).split("[ports.web2]").next().unwrap().to_owned();
    netctl(&["apply", &document("one", &one)]);
    assert_eq!(nic.vf(1)["address"], "52:54:00:00:00:11");
    assert_eq!(nic.vf(2)["trust"], true);
    netctl(&["down"]);
    assert_eq!(nic.snapshot(), before);
}

#[test]
fn a_port_keeps_its_function_and_another_takes_over_the_only_one() {
    let nic = Nic::new();
    let before = nic.snapshot();
    let with = |port: &str, last: u8| {
        format!(
            "[networks.direct]\nkind = \"passthrough\"\npool = {{ pf = \"{}\", vfs = 1 }}\n\
             [ports.{port}]\nnetwork = \"direct\"\nmac = \"52:54:00:00:00:{last:02x}\"\naddresses = [\"10.0.0.11\"]\n",
            nic.pf
        )
    };
    netctl(&["apply", &document("first", &with("first", 1))]);
    let index = link("first")["ifindex"].clone();
    netctl(&["apply", &document("first", &with("first", 1))]);
    assert_eq!(link("first")["ifindex"], index);
    netctl(&["apply", &document("second", &with("second", 2))]);
    assert_eq!(nic.vf(0)["address"], "52:54:00:00:00:02");
    assert_eq!(link("second")["link"], nic.own(0).as_str());
    netctl(&["down"]);
    assert_eq!(nic.snapshot(), before);
}

/// The macvtap is larger than the function below it, which nobody could know before there was one.
#[test]
fn an_apply_that_fails_takes_the_functions_away_again() {
    let nic = Nic::new();
    for vfs in [0, 3] {
        if vfs > 0 {
            sh(&format!("ip link set {} up; sleep 2", nic.pf));
            nic.set_vfs(vfs);
        }
        let before = nic.snapshot();
        let large = three(&nic.pf).replace("[\"10.0.0.12\"]", "[\"10.0.0.12\"]\nmtu = 9000");
        let found = refused(&["apply", &document("large", &large)]);
        assert!(found.contains("9000") || found.contains("make macvtap `web2`"), "{found}");
        assert_eq!(nic.snapshot(), before, "{vfs} functions: {found}");
    }
}

#[test]
fn what_does_not_fit_the_nic_is_refused_with_numbers() {
    let nic = Nic::new();
    let pf = &nic.pf;
    let of = |pool: &str| {
        format!(
            "[networks.direct]\nkind = \"passthrough\"\npool = {{ {pool} }}\n\
             [ports.a]\nnetwork = \"direct\"\naddresses = [\"10.0.0.11\"]\n\
             [ports.b]\nnetwork = \"direct\"\naddresses = [\"10.0.0.12\"]\n"
        )
    };
    let why = |pool: &str| refused(&["apply", &document("bad", &of(pool))]);
    let found = why(&format!("pf = \"{pf}\", vfs = 8"));
    assert!(found.contains(&format!("wants 8 virtual functions of `{pf}`, which can have 7")), "{found}");
    let found = why(&format!("pf = \"{pf}\", vfs = 1"));
    assert!(found.contains(&format!("2 ports share the 1 virtual functions of `{pf}`")), "{found}");
    let found = why("pf = \"nonesuch\", vfs = 2");
    assert!(found.contains("there is no such interface"), "{found}");
    let found = why("pf = \"lo\", vfs = 2");
    assert!(found.contains("lo"), "{found}");
    sh(&format!("ip link set {pf} up"));
    nic.set_vfs(2);
    let found = why(&format!("pf = \"{}\", vfs = 2", nic.own(0)));
    assert!(found.contains("is itself a virtual function"), "{found}");
    let found = why(&format!("pf = \"{pf}\", vfs = 3"));
    assert!(found.contains("wants 3 virtual functions") && found.contains("there are 2"), "{found}");
    sh(&format!("ip addr add 192.0.2.1/24 dev {}", nic.own(1)));
    let found = why(&format!("pf = \"{pf}\", vfs = 2"));
    assert!(found.contains("has the address 192.0.2.1/24"), "{found}");
}

#[test]
fn a_function_with_vfio_is_refused_to_a_port_that_is_to_be_filtered() {
    let nic = Nic::new();
    let pf = &nic.pf;
    sh("modprobe vfio-pci");
    sh(&format!("ip link set {pf} up"));
    nic.set_vfs(1);
    let of = |port: &str| {
        format!(
            "[networks.direct]\nkind = \"passthrough\"\npool = {{ pf = \"{pf}\", vfs = 1 }}\n\
             [ports.a]\nnetwork = \"direct\"\naddresses = [\"10.0.0.11\"]\n{port}"
        )
    };
    let unfiltered = document("unfiltered", &of("vfio = true\nfilter = \"none\"\n"));
    netctl(&["apply", &unfiltered]);
    let pci = json(&["pool", "list", "--json"])[0]["pci"].as_str().unwrap().to_owned();
    let device = format!("/sys/bus/pci/devices/{pci}");
    sh(&format!(
        "echo vfio-pci > {device}/driver_override; echo {pci} > {device}/driver/unbind; echo {pci} > /sys/bus/pci/drivers_probe"
    ));
    let driver = std::fs::read_link(format!("{device}/driver")).unwrap_or_default();
    assert!(
        driver.ends_with("vfio-pci"),
        "vfio-pci needs an IOMMU (QEMU: `-device intel-iommu`); found {driver:?}"
    );
    assert_eq!(netctl(&["diff", &unfiltered]), "", "the guest has its function");
    let found = refused(&["apply", &document("filtered", &of(""))]);
    assert!(found.contains("bound to vfio-pci: a guest that drives it cannot be filtered"), "{found}");
    netctl(&["down"]);
    assert_eq!(nic.snapshot()[0], "1 functions");
}
