use super::*;

const UUID: &str = "cd3b3c8b-4a42-4c4b-81f1-ea71164e5e09";

fn domain(metadata: &str) -> String {
    format!(
        "<domain type='qemu' id='1'><name>g1</name><uuid>{UUID}</uuid><metadata>{metadata}</metadata><devices>\
         <interface type='bridge'><mac address='52:54:00:00:00:11'/><source bridge='br0'/><target dev='vnet0'/>\
         <alias name='net0'/></interface><interface type='user'/></devices></domain>"
    )
}

fn ours(ports: &str) -> String {
    domain(&format!("<n:domain xmlns:n='{NAMESPACE}'>{ports}</n:domain>"))
}

fn why(text: &str) -> String {
    let error = Domain::parse(text).unwrap_err();
    std::error::Error::source(&error).map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

#[test]
fn a_domain_is_read_with_its_interfaces_and_its_ports() {
    let text = ours(
        "<n:port mac='52:54:00:00:00:11' name='web1' network='lab' groups=' web  lab' addresses='10.0.0.11 fd00::11'/>",
    );
    let read = Domain::parse(&text).unwrap();
    assert_eq!((read.name.as_str(), read.uuid.as_str()), ("g1", UUID));
    let mac = Mac([0x52, 0x54, 0, 0, 0, 0x11]);
    let first = Nic {
        kind: "bridge".into(),
        mac: Some(mac),
        alias: Some("net0".into()),
        target: Some("vnet0".into()),
    };
    assert_eq!(read.nics, [first, Nic { kind: "user".into(), mac: None, alias: None, target: None }]);
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let port = Wanted {
        key: Key::Mac(mac),
        name: Some("web1".into()),
        network: Some("lab".into()),
        groups: words(&["web", "lab"]),
        addresses: words(&["10.0.0.11", "fd00::11"]),
    };
    assert!(port.is_for(&read.nics[0]) && !port.is_for(&read.nics[1]));
    assert_eq!(read.wanted, Some(vec![port]));
}

#[test]
fn metadata_of_others_is_not_read() {
    assert_eq!(Domain::parse(&domain("")).unwrap().wanted, None);
    let others = "<app:x xmlns:app='urn:app'><port mac='no'/></app:x><domain/>";
    assert_eq!(Domain::parse(&domain(others)).unwrap().wanted, None);
    assert_eq!(Domain::parse(&ours("")).unwrap().wanted, Some(vec![]));
}

#[test]
fn a_slip_in_the_metadata_is_refused_with_what_to_write() {
    let port = |attributes: &str| ours(&format!("<n:port {attributes}/>"));
    for (text, wanted) in [
        (port("addresses='any'"), "a port is for one interface; name it by either `mac` or `alias`"),
        (port("mac='52:54:00:00:00:11' alias='net0' addresses='any'"), "either `mac` or `alias`"),
        (port("mac='52:54:0:0:0:11' addresses='any'"), "`52:54:0:0:0:11` is no MAC address; write it like"),
        (port("alias='net0'"), "the port with alias=`net0` has no `addresses`; write the guest's"),
        (port("alias='net0' adresses='any'"), "a port has no attribute `adresses`; write `mac`, `alias`"),
        (ours("<n:prot/>"), "there is no element `prot` in the namespace"),
        (ours("<port alias='net0' addresses='any'/>"), "there is no element `port` in the namespace"),
        (domain(&format!("<n:x xmlns:n='{NAMESPACE}'/>")), "there is no element `x`; write `domain`"),
        (
            domain(&format!("<n:domain xmlns:n='{NAMESPACE}' mode='off'/>")),
            "`domain` has no attribute `mode`",
        ),
        (domain(&format!("<n:domain xmlns:n='{NAMESPACE}'/>").repeat(2)), "it is there twice"),
    ] {
        let why = why(&text);
        assert!(why.starts_with("the netctl metadata of domain `g1`: ") && why.contains(wanted), "{why}");
        assert!(Domain::parse_identity(&text).is_ok(), "what ends is let go: {text}");
    }
}

#[test]
fn hostile_text_is_refused_within_bounds() {
    let started = std::time::Instant::now();
    let entity = "<!DOCTYPE d [<!ENTITY a 'b'>]><domain/>";
    assert!(why(entity).contains("cannot be read"), "{}", why(entity));
    assert!(why(&"<a>".repeat(300_000)).contains("cannot be read"));
    let deep = format!("<domain>{}{}</domain>", "<a>".repeat(60_000), "</a>".repeat(60_000));
    assert!(why(&deep).contains("has no UUID"));
    let attributes: String = (0..80_000).map(|n| format!(" a{n}=''")).collect();
    assert!(why(&format!("<domain{attributes}/>")).contains("too many attributes"));
    assert!(why("<network/>").contains("this is no domain but `network`"));
    assert!(why("").contains("cannot be read"));
    let upper = domain("").replace(UUID, &UUID.to_uppercase());
    assert!(why(&upper).contains("the domain `g1` has no UUID"));
    let name = domain("").replace(UUID, "x").replace("g1", "g&#10;\u{202e}x");
    assert!(why(&name).contains(r"`g\n\u{202e}x` has no UUID"), "{}", why(&name));
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn more_than_the_bound_is_not_read() {
    let read = |bytes: u64| super::super::read(std::io::repeat(b' ').take(bytes));
    use std::io::Read;
    assert!(read(super::super::MAX_BYTES).is_ok());
    assert!(matches!(read(super::super::MAX_BYTES + 1), Err(HookError::TooLarge)));
}
