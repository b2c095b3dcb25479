//! A drop-in for qemu-bridge-helper: an unprivileged VMM asks for a network, and gets one queue of a port of the document.
//!
//! Reading order: [`run`], `arguments` (its protocol), `privilege` (dropped before all else), `access` (who may have
//! which port: `acl`, `grants`), `give` (opens and hands over), `audit`. Whoever starts it is hostile: docs/security.md.

mod access;
mod acl;
mod arguments;
mod audit;
mod caller;
mod give;
mod grants;
mod offer;
mod privilege;
mod refusal;
mod reply;
mod trusted;

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::OwnedFd;

use crate::fd::inherited;
use access::Access;
use arguments::Arguments;
use audit::{Audit, Subject};
use caller::Caller;
use give::Request;
use privilege::Privileges;
use refusal::Refusal;

/// Serves one request; `arguments` without the program's name. Returns the exit status: 0 or 1, as the stock helper's.
///
/// To be called first of all, on the only thread.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let privileges = match Privileges::drop_all().map_err(Refusal::failed) {
        Ok(privileges) => privileges,
        Err(refusal) => return tell(&refusal),
    };
    if let Err(error) = inherited::clear_environment() {
        return tell(&Refusal::failed(error));
    }
    let parsed = arguments::parse(arguments);
    let socket = parsed.as_ref().map(|arguments| reply::socket(arguments.fd));
    let kept = socket.as_ref().ok().and_then(|socket| socket.as_ref().ok());
    if let Err(error) = inherited::close_others(kept.map(std::os::fd::AsFd::as_fd)) {
        return tell(&Refusal::failed(error));
    }
    let caller = Caller::read();
    let audit = Audit::open();
    let mut subject = Subject::default();
    let outcome = match (&parsed, socket) {
        (Ok(arguments), Ok(socket)) => {
            subject.asked = String::from_utf8_lossy(&arguments.bridge).into_owned();
            serve(arguments, socket, (&privileges, &caller, &audit), &mut subject)
        }
        _ => Err(Refusal::Usage),
    };
    match outcome {
        Ok(()) => 0,
        Err(refusal) => {
            // A refusal stands whether or not it can be written down.
            let _ = audit.write(&caller, &subject, &refusal.audit());
            tell(&refusal)
        }
    }
}

/// Everything after the arguments. Rights first, then the descriptor of the caller, then the port.
fn serve(
    arguments: &Arguments,
    socket: io::Result<OwnedFd>,
    (privileges, caller, audit): (&Privileges, &Caller, &Audit),
    subject: &mut Subject,
) -> Result<(), Refusal> {
    let observed = give::look()?;
    let offers = offer::asked(&observed, &arguments.bridge);
    // netctl's networks and ports can have longer names than interfaces.
    if offers.is_empty() && arguments.bridge.len() >= acl::NAME_SIZE {
        return Err(Refusal::NameTooLong(arguments.bridge.clone()));
    }
    let access = Access::read(&arguments.bridge)?;
    let socket = socket.map_err(Refusal::Socket)?;
    let request = Request { arguments, caller, access: &access, privileges };
    let given = give::open(&request, &observed, &offers, subject)?;
    let decision = format!("granted by {}", given.by);
    audit.write(caller, subject, &decision).map_err(Refusal::Audit)?;
    reply::send(&socket, &given.queue).map_err(Refusal::Socket)
}

/// Nothing is left to tell if standard error is gone.
fn tell(refusal: &Refusal) -> u8 {
    let _ = io::stderr().write_all(&refusal.text());
    1
}
