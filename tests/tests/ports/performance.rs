//! How long ports take. Generous against noise: the best of several.

use std::time::{Duration, Instant};

use netctl::network::{Consent, apply, plan};

use super::document::{apply_document, down, lab_with_ports, plan_document, port};
use super::namespace::isolated;

const LIMIT: Duration = Duration::from_millis(30);

#[test]
fn one_more_port_beside_two_hundred_takes_less_than_30_ms() {
    isolated(async |netlink| {
        let mut config = lab_with_ports(200);
        apply_document(netlink, &config).await;
        let (mut all, mut making) = (Vec::new(), Vec::new());
        for number in 201..=210 {
            config.ports.insert(format!("web{number}"), port(number));
            let start = Instant::now();
            let observed = netctl::network::observe(netlink).await.unwrap();
            let plan = plan(&config, &observed, Consent::NotGiven).unwrap();
            let planned = Instant::now();
            let _made = apply::make(netlink, &plan).await.unwrap();
            apply::start(netlink, &plan).await.unwrap();
            making.push(planned.elapsed());
            all.push(start.elapsed());
        }
        assert!(plan_document(netlink, &config).await.unwrap().is_empty());
        let start = Instant::now();
        down(netlink).await;
        eprintln!("down with 210 ports: {:?}", start.elapsed());
        eprintln!("one port beside 200: make and start {making:?}, with looking {all:?}");
        assert!(*making.iter().min().unwrap() < LIMIT, "{making:?}");
        // Reading 200 interfaces takes 7 ms, unoptimised 30 ms.
        assert!(*all.iter().min().unwrap() < LIMIT * if cfg!(debug_assertions) { 5 } else { 1 }, "{all:?}");
    });
}
