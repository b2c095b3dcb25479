//! Audit mode with real guests: what the policy denies works both ways, is told of once, and ends with the mode.

use netctl_common::verdict::Direction::{FromGuest, ToGuest};
use netctl_common::verdict::Reason;
use netctl_tests::lab::{Event, Family, Lab};

use super::kind::{self, BRIDGE, Kind, MACVLAN};
use super::{A_WHILE, SOON};

const RULES: &[&str] = &[r#"{ deny = "tcp/5432", from = "web", to = "db", name = "no database" }"#];

#[test]
fn taps_of_a_bridge_in_audit_mode() {
    denied_connections_work_until_it_ends(&BRIDGE);
}

#[test]
fn macvtaps_in_audit_mode() {
    denied_connections_work_until_it_ends(&MACVLAN);
}

fn told(lab: &Lab<'_>, service: &str) -> Vec<Event> {
    let mut told = lab.events().unwrap();
    told.retain(|event| event.service == service);
    told.sort_by(|a, b| b.port.cmp(&a.port));
    told
}

fn denied_connections_work_until_it_ends(kind: &Kind) {
    kind::with_guests(kind, RULES, |host| {
        let lab = &host.lab;
        let audited = kind.document(RULES).replace("[policy]\n", "[policy]\naudit = true\n");
        lab.apply(&audited).unwrap();
        // One service by a rule, one by the default.
        for (port, rule) in [(5432, Some(1)), (5433, None)] {
            lab.guest("db1").tcp_listen(port);
            for family in Family::ALL {
                told(lab, "");
                let (conn, seen) = lab
                    .during(|| {
                        let conn = lab.guest("web1").tcp_connect(lab.address("db1", family), port, SOON);
                        let conn = conn.unwrap();
                        assert!(conn.still_alive(SOON), "{family:?}: what is sent comes back");
                        conn
                    })
                    .unwrap();
                let events = told(lab, &format!("tcp/{port}"));
                let of: Vec<_> = events.iter().map(|event| (&*event.port, &*event.direction)).collect();
                assert_eq!(of, [("web1", "from-guest"), ("db1", "to-guest")], "{family:?}: {events:?}");
                for event in &events {
                    let said = (&*event.action, &*event.reason, event.would.as_deref());
                    assert_eq!(said, ("allow", "audit", Some("deny")), "{family:?}");
                    assert_eq!(event.rule.as_ref().map(|rule| rule.number), rule);
                }
                for (name, direction) in [("web1", FromGuest), ("db1", ToGuest)] {
                    assert_eq!(seen.packets(name, direction, Reason::Audit), 1, "{family:?} {name}");
                    assert!(seen.packets(name, direction, Reason::Flow) > 2, "{family:?} {name}");
                }
                lab.apply(&kind.document(RULES)).unwrap();
                let (alive, seen) = lab.during(|| conn.still_alive(A_WHILE)).unwrap();
                assert!(!alive, "{family:?}");
                assert!(seen.packets("web1", FromGuest, Reason::Revoked) >= 1, "{:?}", seen.ports);
                assert_eq!(seen.packets("web1", FromGuest, Reason::Flow), 0, "{family:?}: not one frame");
                lab.apply(&audited).unwrap();
            }
        }
        lab.apply(&kind.document(RULES)).unwrap();
        for port in [5432, 5433] {
            assert!(lab.guest("web1").tcp_connect(lab.address("db1", Family::V4), port, A_WHILE).is_err());
        }
    });
}
