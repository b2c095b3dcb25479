//! MAC addresses as text.

use crate::config::escape::quoted;
use crate::config::model::Mac;
use crate::config::report::Complaint;

/// A MAC address that a guest's NIC can have: six octets in hexadecimal with `:` between them.
pub(super) fn mac(text: &str) -> Result<Mac, Complaint> {
    let Some(octets) = octets(text, ':') else {
        let help = match octets(text, '-') {
            Some(octets) => format!("write \"{}\"", Mac(octets)),
            None => "write six octets, like \"52:54:00:00:00:11\"".to_owned(),
        };
        return Err(Complaint::new(format!("{} is no MAC address", quoted(text)), help));
    };
    let message = |reason| format!("{} {reason}", quoted(text));
    if octets == [0; 6] {
        let help = "leave `mac` out: then it is derived from the port's name";
        return Err(Complaint::new(message("is all zero, which no NIC has"), help));
    }
    // IEEE 802: the lowest bit of the first octet makes it the address of a group.
    if octets[0] & 1 == 1 {
        let mut unicast = octets;
        unicast[0] &= !1;
        let help = format!("write \"{}\", or leave `mac` out", Mac(unicast));
        return Err(Complaint::new(message("is a multicast address, which no NIC has"), help));
    }
    Ok(Mac(octets))
}

fn octets(text: &str, separator: char) -> Option<[u8; 6]> {
    let mut octets = [0; 6];
    let mut parts = text.split(separator);
    for octet in &mut octets {
        let part =
            parts.next().filter(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()))?;
        *octet = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_octets_in_either_case_are_an_address() {
        assert_eq!(mac("52:54:00:AB:cd:11").unwrap().to_string(), "52:54:00:ab:cd:11");
    }

    #[test]
    fn what_no_nic_has_is_refused_with_what_to_write() {
        for (text, message, help) in [
            (
                "01:00:5e:00:00:01",
                "is a multicast address, which no NIC has",
                "write \"00:00:5e:00:00:01\", or leave `mac` out",
            ),
            (
                "ff:ff:ff:ff:ff:ff",
                "is a multicast address, which no NIC has",
                "write \"fe:ff:ff:ff:ff:ff\", or leave `mac` out",
            ),
            (
                "00:00:00:00:00:00",
                "is all zero, which no NIC has",
                "leave `mac` out: then it is derived from the port's name",
            ),
            ("52-54-00-00-00-11", "is no MAC address", "write \"52:54:00:00:00:11\""),
        ] {
            let complaint = mac(text).unwrap_err();
            assert_eq!((complaint.message, complaint.help.as_str()), (format!("`{text}` {message}"), help));
        }
        for text in [
            "",
            "52:54:00:00:00",
            "52:54:00:00:00:11:22",
            "5:54:00:00:00:11",
            "+2:54:00:00:00:11",
            "5254.0000.0011",
        ] {
            assert_eq!(mac(text).unwrap_err().help, "write six octets, like \"52:54:00:00:00:11\"", "{text}");
        }
    }
}
