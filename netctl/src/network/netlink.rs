//! The rtnetlink socket, and the kernel's errors in netctl's words.

use std::io;

use tokio::task::JoinHandle;

use super::error::NetworkError;

/// A connection to rtnetlink, in the network namespace of the thread that made it.
pub struct Netlink {
    pub(super) handle: rtnetlink::Handle,
    driver: JoinHandle<()>,
}

impl Netlink {
    /// To be called inside a tokio runtime with I/O, which then drives the connection.
    ///
    /// # Errors
    /// [`NetworkError::Socket`].
    pub fn connect() -> Result<Self, NetworkError> {
        let (connection, handle, _) = rtnetlink::new_connection().map_err(NetworkError::Socket)?;
        Ok(Self { handle, driver: tokio::spawn(connection) })
    }
}

impl Drop for Netlink {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The errno of a refused request.
pub(super) fn errno(error: &rtnetlink::Error) -> Option<i32> {
    match error {
        rtnetlink::Error::NetlinkError(message) => Some(message.raw_code().abs()),
        _ => None,
    }
}

/// What the kernel said to the request that was to do `what` to `interface`.
pub(super) fn refused(what: &dyn ToString, interface: &str, error: rtnetlink::Error) -> NetworkError {
    let what = what.to_string();
    match errno(&error) {
        Some(libc::EPERM | libc::EACCES) => NetworkError::NotPermitted { what },
        Some(libc::ENODEV) => NetworkError::Gone { what, interface: interface.to_owned() },
        Some(code) => NetworkError::Refused { what, source: io::Error::from_raw_os_error(code) },
        None => NetworkError::Protocol { what, source: error },
    }
}
