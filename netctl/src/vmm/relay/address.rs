//! Addresses of a relay's socket, as they are typed: `unix:PATH`, `unix-dgram:PATH`, `tcp:PORT`, `tcp:ADDRESS:PORT`. Pure.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// Where the VMM is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A unix stream socket.
    Unix(PathBuf),
    /// A unix datagram socket.
    UnixDatagram(PathBuf),
    /// Never the unspecified address.
    Tcp(SocketAddr),
}

/// Why a text is no address of a relay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error(
        "`{0}` is no address of a relay; there are unix:PATH, unix-dgram:PATH, tcp:PORT and tcp:ADDRESS:PORT"
    )]
    Unknown(String),
    #[error("`{0}` names no path")]
    NoPath(String),
    #[error("`{0}`: a unix socket's path has 1 to 107 bytes, none of them zero")]
    BadPath(String),
    #[error(
        "`{0}`: write tcp:PORT for 127.0.0.1, or tcp:ADDRESS:PORT with a numeric address, as in tcp:[::1]:5000"
    )]
    BadTcp(String),
    #[error("`{0}` stands for all addresses of the host; name the one that the guest's frames come from")]
    Unspecified(String),
    #[error(
        "`{0}`: guests of a multicast group would reach each other without crossing a port; \
         give each a socket of its own, as unix:PATH"
    )]
    Multicast(String),
    #[error(
        "`{0}`: UDP has neither connections nor owners, so anyone could send as this guest; \
         use unix:PATH, unix-dgram:PATH or tcp:ADDRESS:PORT"
    )]
    Udp(String),
}

/// Bytes of `sun_path` without the terminating zero (unix(7)).
const LONGEST_PATH: usize = 107;

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let whole = || text.to_owned();
        let (kind, rest) = text.split_once(':').ok_or_else(|| AddressError::Unknown(whole()))?;
        match kind {
            "unix" => Ok(Self::Unix(path(text, rest)?)),
            "unix-dgram" => Ok(Self::UnixDatagram(path(text, rest)?)),
            "tcp" => tcp(text, rest),
            "mcast" => Err(AddressError::Multicast(whole())),
            "udp" => Err(AddressError::Udp(whole())),
            _ => Err(AddressError::Unknown(whole())),
        }
    }
}

fn path(text: &str, path: &str) -> Result<PathBuf, AddressError> {
    match path.len() {
        0 => Err(AddressError::NoPath(text.to_owned())),
        1..=LONGEST_PATH if !path.contains('\0') => Ok(PathBuf::from(path)),
        _ => Err(AddressError::BadPath(text.to_owned())),
    }
}

fn tcp(text: &str, rest: &str) -> Result<Address, AddressError> {
    let bad = || AddressError::BadTcp(text.to_owned());
    let address = match rest.parse::<u16>() {
        Ok(port) => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
        Err(_) => rest.parse::<SocketAddr>().map_err(|_| bad())?,
    };
    if address.port() == 0 {
        Err(bad())
    } else if address.ip().is_unspecified() {
        Err(AddressError::Unspecified(text.to_owned()))
    } else if address.ip().is_multicast() {
        Err(AddressError::Multicast(text.to_owned()))
    } else {
        Ok(Address::Tcp(address))
    }
}

impl Address {
    /// Whether others than processes of this host can be at the other end.
    pub fn leaves_host(&self) -> bool {
        matches!(self, Self::Tcp(address) if !address.ip().is_loopback())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::UnixDatagram(path) => write!(f, "unix-dgram:{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_of_what_kind_it_is_and_prints_as_it_is_typed() {
        for text in ["unix:/run/a:b", "unix-dgram:/run/web1", "tcp:127.0.0.1:5000", "tcp:[::1]:5000"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!("tcp:5000".parse::<Address>().unwrap().to_string(), "tcp:127.0.0.1:5000");
        assert!("tcp:192.0.2.1:5000".parse::<Address>().unwrap().leaves_host());
        assert!(!"tcp:[::1]:5000".parse::<Address>().unwrap().leaves_host());
    }

    #[test]
    fn what_is_no_address_says_what_is() {
        let error = |text: &str| text.parse::<Address>().unwrap_err().to_string();
        for (text, wanted) in [
            ("/run/web1", "there are unix:PATH, unix-dgram:PATH, tcp:PORT and tcp:ADDRESS:PORT"),
            ("vsock:3:4", "there are unix:PATH"),
            ("unix:", "names no path"),
            ("tcp:host:80", "with a numeric address"),
            ("tcp:0", "write tcp:PORT"),
            ("tcp:65536", "write tcp:PORT"),
            ("tcp:0.0.0.0:5000", "all addresses of the host"),
            ("tcp:224.0.0.1:5000", "without crossing a port"),
            ("mcast:230.0.0.1:1234", "without crossing a port"),
            ("udp:127.0.0.1:5000", "anyone could send as this guest"),
        ] {
            assert!(error(text).contains(wanted), "{text}: {}", error(text));
        }
        assert!(error(&format!("unix:/{}", "x".repeat(107))).contains("1 to 107 bytes"));
    }
}
