//! Where metrics are served, as it is typed: `PORT`, `ADDRESS:PORT`, `unix:PATH`. Pure.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// Bytes of `sun_path` without the terminating zero (unix(7)).
const LONGEST_PATH: usize = 107;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// Why a text is no such address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("`{0}`: a unix socket's path has 1 to 107 bytes, as in unix:/run/netctl-metrics.sock")]
    BadPath(String),
    #[error(
        "`{0}`: write PORT for 127.0.0.1, ADDRESS:PORT with a numeric address, as in [::1]:9471, or unix:PATH"
    )]
    Bad(String),
}

impl Address {
    /// Whether others than this host's users can connect.
    pub const fn leaves_host(&self) -> bool {
        match self {
            Self::Tcp(address) => !address.ip().is_loopback(),
            Self::Unix(_) => false,
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() || path.len() > LONGEST_PATH || path.contains('\0') {
                Err(AddressError::BadPath(text.to_owned()))
            } else {
                Ok(Self::Unix(path.into()))
            };
        }
        let bad = || AddressError::Bad(text.to_owned());
        let address = match text.parse::<u16>() {
            Ok(port) => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
            Err(_) => text.parse().map_err(|_| bad())?,
        };
        if address.port() == 0 { Err(bad()) } else { Ok(Self::Tcp(address)) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "http://{address}/metrics"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_port_is_on_loopback_and_names_are_refused() {
        let parsed = |text: &str| text.parse::<Address>();
        assert_eq!(parsed("9471").unwrap(), Address::Tcp("127.0.0.1:9471".parse().unwrap()));
        assert_eq!(parsed("[::1]:9471").unwrap(), Address::Tcp("[::1]:9471".parse().unwrap()));
        assert_eq!(parsed("unix:/run/m").unwrap(), Address::Unix("/run/m".into()));
        assert!(parsed("0.0.0.0:9471").unwrap().leaves_host() && !parsed("9471").unwrap().leaves_host());
        for bad in ["", "0", "localhost:9471", "127.0.0.1", ":9471", "70000", "127.0.0.1:0", "unix:"] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
        assert!(parsed(&format!("unix:/{}", "x".repeat(LONGEST_PATH))).is_err());
    }
}
