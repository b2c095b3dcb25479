//! What guests reach and what not, in both families, with the reason at each port.

use netctl_common::verdict::Direction::{FromGuest, ToGuest};
use netctl_common::verdict::Reason;
use netctl_tests::lab::Family;

use super::{A_WHILE, SOON, document, in_lab};

const RULES: [&str; 5] = [
    r#"{ deny = "tcp/22", from = "web", to = "db" }"#,
    r#"{ allow = "tcp/80", from = "any", to = "web" }"#,
    r#"{ allow = ["tcp/5432", "udp/53"], from = "web", to = "db" }"#,
    r#"{ allow = ["icmp/echo-request", "icmp6/echo-request"], from = "web", to = "db" }"#,
    r#"{ allow = "tcp/22", from = "any", to = "any" }"#,
];

#[test]
fn tcp_that_a_rule_allows_is_opened_by_the_rule_and_answered_by_the_flow() {
    in_lab(&RULES, |lab| {
        lab.guest("web1").tcp_listen(80);
        for family in Family::ALL {
            let address = lab.address("web1", family);
            let (conn, seen) =
                lab.during(|| lab.guest("db1").tcp_connect(address, 80, SOON).unwrap()).unwrap();
            assert_eq!(seen.packets("db1", FromGuest, Reason::Rule), 1, "{family:?}: one SYN opens");
            assert_eq!(seen.packets("web1", ToGuest, Reason::Rule), 1);
            assert!(seen.packets("web1", FromGuest, Reason::Flow) >= 1, "the reply");
            assert!(seen.packets("db1", ToGuest, Reason::Flow) >= 1);
            assert!(conn.still_alive(SOON));
        }
    });
}

#[test]
fn udp_and_ping_that_a_rule_allows_are_answered_in_both_families() {
    in_lab(&RULES, |lab| {
        lab.guest("db1").udp_echo(53);
        for family in Family::ALL {
            let address = lab.address("db1", family);
            let web1 = lab.guest("web1");
            let (answers, seen) = lab
                .during(|| (web1.udp_ask(address, 53, b"who is there", SOON), web1.ping(address, SOON)))
                .unwrap();
            assert_eq!(answers, (true, true), "{family:?}");
            assert_eq!(seen.packets("web1", FromGuest, Reason::Rule), 2);
            assert_eq!(seen.packets("db1", ToGuest, Reason::Rule), 2);
            assert_eq!(seen.packets("db1", FromGuest, Reason::Flow), 2);
            assert_eq!(seen.packets("web1", ToGuest, Reason::Flow), 2);
        }
    });
}

#[test]
fn what_no_rule_allows_is_denied_by_the_default_at_the_sender_and_never_reaches_the_receiver() {
    in_lab(&RULES, |lab| {
        let (db1, web1) = (lab.guest("db1"), lab.guest("web1"));
        web1.udp_echo(53);
        web1.tcp_listen(81);
        for family in Family::ALL {
            let address = lab.address("web1", family);
            let (reached, seen) = lab
                .during(|| {
                    let tcp = db1.tcp_connect(address, 81, A_WHILE).is_ok();
                    (tcp, db1.udp_ask(address, 53, b"?", A_WHILE), db1.ping(address, A_WHILE))
                })
                .unwrap();
            assert_eq!(reached, (false, false, false), "{family:?}");
            assert!(seen.packets("db1", FromGuest, Reason::Default) >= 3, "{:?}", seen.ports);
            assert_eq!(seen.packets("db1", FromGuest, Reason::Rule), 0);
            let at_web1 = seen.sum(|row| {
                row.port == "web1"
                    && row.direction == "to-guest"
                    && ["rule", "default"].contains(&&*row.reason)
            });
            assert_eq!(at_web1, 0, "{:?}", seen.ports);
        }
    });
}

#[test]
fn a_deny_says_its_rule_and_line_in_events() {
    in_lab(&RULES, |lab| {
        lab.guest("db1").tcp_listen(22);
        lab.events().unwrap();
        for family in Family::ALL {
            let address = lab.address("db1", family);
            assert!(lab.guest("web1").tcp_connect(address, 22, A_WHILE).is_err(), "{family:?}");
            let events = lab.events().unwrap();
            let event =
                events.iter().find(|e| e.service == "tcp/22" && e.destination == Some(address)).unwrap();
            assert_eq!((&*event.port, &*event.direction), ("web1", "from-guest"));
            assert_eq!((&*event.action, &*event.reason), ("deny", "rule"));
            let line =
                document(&RULES).lines().position(|line| line.contains("deny = \"tcp/22\"")).unwrap() + 1;
            let rule = event.rule.as_ref().unwrap();
            assert_eq!((rule.number, rule.line as usize), (1, line));
            // The same service elsewhere is the fifth rule's.
            lab.guest("web2").tcp_listen(22);
            let elsewhere = lab.address("web2", family);
            assert!(lab.guest("web1").tcp_connect(elsewhere, 22, SOON).is_ok());
        }
    });
}

#[test]
fn the_way_back_is_open_for_replies_only() {
    in_lab(&RULES, |lab| {
        let (web1, db1) = (lab.guest("web1"), lab.guest("db1"));
        db1.tcp_listen(5432);
        web1.tcp_listen(5432);
        let conn = web1.tcp_connect(lab.address("db1", Family::V4), 5432, SOON).unwrap();
        assert!(conn.still_alive(SOON));
        let back = lab.address("web1", Family::V4);
        let (opened, seen) = lab.during(|| db1.tcp_connect(back, 5432, A_WHILE).is_ok()).unwrap();
        assert!(!opened);
        assert!(seen.packets("db1", FromGuest, Reason::Default) >= 1, "{:?}", seen.ports);
        let flows = lab.flows().unwrap();
        let of_db1: Vec<_> = flows.iter().filter(|f| f.port == "db1" && f.service == "tcp/5432").collect();
        assert_eq!(of_db1.len(), 1, "{flows:?}");
        assert_eq!((&*of_db1[0].direction, &*of_db1[0].state), ("to-guest", "established"));
        assert_eq!(of_db1[0].source_port, Some(conn.local_port()));
    });
}
