//! Connections that an operator ends, between real guests.

use netctl_common::verdict::Direction::{FromGuest, ToGuest};
use netctl_common::verdict::Reason;
use netctl_tests::lab::Family;
use netctl_tests::process::Finished;
use netctl_tests::sandbox::Sandbox;
use serde_json::{Value, json};

use super::{A_WHILE, SOON, document};

const RULES: [&str; 2] = [
    r#"{ allow = ["tcp/5432", "tcp/80", "udp/53"], from = "web", to = "db" }"#,
    r#"{ allow = "tcp/22", from = "any", to = "any", name = "never used" }"#,
];

fn in_lab(test: impl FnOnce(&netctl_tests::lab::Lab<'_>, &dyn Fn(&str) -> Finished) + Send) {
    Sandbox::run(|sandbox| {
        let lab = netctl_tests::lab::Lab::up(sandbox, &document(&RULES)).unwrap();
        test(&lab, &|words| sandbox.netctl(words.split(' ')));
    });
}

#[test]
fn a_killed_connection_stops_at_both_ports_and_is_not_taken_up_again() {
    in_lab(|lab, netctl| {
        let (web1, db1) = (lab.guest("web1"), lab.guest("db1"));
        for family in Family::ALL {
            let address = lab.address("db1", family);
            [5432, 80].into_iter().for_each(|port| db1.tcp_listen(port));
            let killed = web1.tcp_connect(address, 5432, SOON).unwrap();
            let other = web1.tcp_connect(address, 80, SOON).unwrap();
            assert!(killed.still_alive(SOON) && other.still_alive(SOON), "{family:?}");
            let peer = lab.address("web1", family);
            let filter = format!("flows kill --port db1 --peer {peer} --service tcp/5432 --json");
            let both = json!([{ "port": "db1", "flows": 1 }, { "port": "web1", "flows": 1 }]);
            assert_eq!(netctl(&format!("{filter} --dry-run")).expect_code(0).json(), both);
            assert!(killed.still_alive(SOON), "a dry run ends nothing");
            assert_eq!(netctl(&filter).expect_code(0).json(), both);
            let (alive, seen) = lab.during(|| killed.still_alive(A_WHILE)).unwrap();
            assert!(!alive, "{family:?}");
            assert!(seen.packets("web1", FromGuest, Reason::Revoked) >= 1, "{:?}", seen.ports);
            assert_eq!(seen.packets("db1", ToGuest, Reason::Flow), 0, "{:?}", seen.ports);
            // Another policy, which allows it as well.
            let mut rules = RULES.to_vec();
            rules.swap(0, 1);
            lab.apply(&document(&rules)).unwrap();
            lab.apply(&document(&RULES)).unwrap();
            assert!(!killed.still_alive(A_WHILE), "{family:?}: taken up by the next policy");
            let killed = format!("flows --state killed --peer {peer} --json");
            let states = netctl(&killed).expect_code(0).json();
            assert_eq!(states.as_array().unwrap().len(), 1, "{states}");
            assert!(other.still_alive(SOON), "{family:?}: one that was not meant");
            db1.tcp_listen(5432);
            assert!(
                web1.tcp_connect(address, 5432, SOON).unwrap().still_alive(SOON),
                "{family:?}: a new one"
            );
            let again = netctl("flows kill --state killed").expect_code(1);
            assert!(again.stdout.is_empty() && again.stderr.starts_with("netctl: no flow is so;"), "{again}");
            netctl("flows kill --verdict allow").expect_code(0);
            assert!(!other.still_alive(A_WHILE), "{family:?}: all of them");
        }
    });
}

#[test]
fn a_killed_dialog_of_udp_is_denied_and_a_new_one_is_not() {
    in_lab(|lab, netctl| {
        let (web1, address) = (lab.guest("web1"), lab.address("db1", Family::V4));
        lab.guest("db1").udp_echo(53);
        assert!(web1.udp_ask(address, 53, b"?", SOON));
        let said = netctl("flows kill --rule 1 --service udp/53").expect_code(0).stdout;
        assert_eq!(said, "- db1: 1 flow\n- web1: 1 flow\n");
        let rows = netctl("flows --service udp/53 --json").expect_code(0).json();
        let of =
            |key: &str| rows.as_array().unwrap().iter().map(|row| row[key].clone()).collect::<Vec<Value>>();
        assert_eq!((of("state"), of("action")), (vec![json!("killed"); 2], vec![json!("deny"); 2]), "{rows}");
        assert!(web1.udp_ask(address, 53, b"?", SOON), "from another port");
    });
}

#[test]
fn a_kill_without_a_filter_is_refused() {
    in_lab(|lab, netctl| {
        lab.guest("db1").tcp_listen(5432);
        let conn = lab.guest("web1").tcp_connect(lab.address("db1", Family::V4), 5432, SOON).unwrap();
        let done = netctl("flows kill").expect_code(2);
        assert!(done.stdout.is_empty() && done.stderr.contains("say which flows to kill: --port,"), "{done}");
        netctl("flows kill --port web1 --peer nobody").expect_code(2);
        assert!(conn.still_alive(SOON));
    });
}
