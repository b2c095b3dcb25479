//! An element by the words that a dump prints.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Element;
use super::services::range;

/// The elements that `key` stands for: the one whose key it is; else, in `prefixes`, those with the longest prefix that has
/// the address, in `services`, the one whose range has the number; else all whose key has its words in a row.
pub fn find<'a>(map: &str, elements: &'a [Element], key: &str) -> Vec<&'a Element> {
    let exact: Vec<&Element> = elements.iter().filter(|element| element.key == key).collect();
    if !exact.is_empty() {
        return exact;
    }
    let found = match map {
        "prefixes" => longest_prefixes(elements, key),
        "services" => in_range(elements, key).into_iter().collect(),
        _ => Vec::new(),
    };
    if !found.is_empty() {
        return found;
    }
    let wanted = words(key);
    let has = |element: &&Element| words(&element.key).windows(wanted.len().max(1)).any(|few| few == wanted);
    elements.iter().filter(has).collect()
}

/// Without the signs around them.
fn words(key: &str) -> Vec<&str> {
    key.split([' ', '(', ')', ',', '"', '+']).filter(|word| !word.is_empty()).collect()
}

/// One for each zone that has one.
fn longest_prefixes<'a>(elements: &'a [Element], key: &str) -> Vec<&'a Element> {
    let Ok(address) = key.parse::<IpAddr>() else { return Vec::new() };
    let split = |element: &'a Element| {
        let (zone, net) = element.key.rsplit_once(' ')?;
        Some((zone, net.parse::<IpNet>().ok()?, element))
    };
    let mut best: Vec<(&str, IpNet, &Element)> = Vec::new();
    for (zone, net, element) in elements.iter().filter_map(split).filter(|(_, net, _)| net.contains(&address))
    {
        match best.iter_mut().find(|(other, ..)| *other == zone) {
            Some(known) if known.1.prefix_len() < net.prefix_len() => *known = (zone, net, element),
            Some(_) => {}
            None => best.push((zone, net, element)),
        }
    }
    best.into_iter().map(|(.., element)| element).collect()
}

fn in_range<'a>(elements: &'a [Element], key: &str) -> Option<&'a Element> {
    let (row, number, _) = range(key)?;
    elements.iter().find(|element| {
        range(&element.key)
            .is_some_and(|(other, first, last)| other == row && (first..=last).contains(&number))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(map: &str, all: &[&str], key: &str) -> Vec<String> {
        let elements: Vec<Element> =
            all.iter().map(|key| Element { key: (*key).to_owned(), value: String::new() }).collect();
        find(map, &elements, key).into_iter().map(|element| element.key.clone()).collect()
    }

    #[test]
    fn an_element_is_found_by_its_key_or_by_words_of_it() {
        let all = ["rule 1 (line 21) \"app to database\"", "rule 2 (line 22)", "rule 22 (line 30)"];
        assert_eq!(keys("rules", &all, "rule 2 (line 22)"), [all[1]]);
        assert_eq!(keys("rules", &all, "rule 2"), [all[1]]);
        assert_eq!(keys("rules", &all, "line 22"), [all[1]]);
        assert_eq!(keys("rules", &all, "app to database"), [all[0]]);
        assert_eq!(keys("rules", &all, "rule 3"), [""; 0]);
        assert_eq!(keys("rules", &all, ""), [""; 0]);
        let all = ["zone 0 10.0.0.11", "zone 1 10.0.0.11", "zone 0 10.0.0.1"];
        assert_eq!(keys("addresses", &all, "10.0.0.11"), all[..2]);
        assert_eq!(keys("addresses", &all, "zone 1 10.0.0.11"), [all[1]]);
    }

    #[test]
    fn an_address_has_the_longest_prefix_of_each_zone() {
        let all = [
            "zone 0 0.0.0.0/0",
            "zone 0 10.0.0.0/8",
            "zone 0 10.1.0.0/16",
            "zone 1 0.0.0.0/0",
            "zone 0 ::/0",
        ];
        assert_eq!(keys("prefixes", &all, "10.1.2.3"), [all[2], all[3]]);
        assert_eq!(keys("prefixes", &all, "10.9.2.3"), [all[1], all[3]]);
        assert_eq!(keys("prefixes", &all, "10.0.0.0/8"), [all[1]]);
    }

    #[test]
    fn a_service_has_the_range_with_its_number() {
        let all = ["tcp/0-442", "tcp/443", "tcp/444-65535", "tcp from/0-65535"];
        assert_eq!(keys("services", &all, "tcp/443"), [all[1]]);
        assert_eq!(keys("services", &all, "tcp/22"), [all[0]]);
        assert_eq!(keys("services", &all, "tcp from/22"), [all[3]]);
        assert_eq!(keys("services", &all, "udp/22"), [""; 0]);
        let all = ["icmp/0-7", "icmp/8", "icmp/9-255"];
        assert_eq!(keys("services", &all, "icmp/8/0"), [all[1]]);
        assert_eq!(keys("services", &all, "icmp/3"), [all[0]]);
    }
}
