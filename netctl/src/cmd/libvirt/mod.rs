//! `netctl libvirt-hook`: what libvirt calls when a domain or a network starts or ends.
//!
//! Says nothing on standard output, which libvirt takes for a domain's new XML at `migrate` and `restore`. A failure of
//! `prepare`, `start`, `started` and `port-created` stops what is starting; all else never fails.

mod install;
mod running;

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::Path;

use crate::cli::LibvirtHookArgs;
use crate::config::escape::quoted;
use crate::error::{Error, Outcome, chain};
use crate::libvirt::script::Driver;
use crate::libvirt::{self, Around, Domain, HookError, Moment, NetworkPort};

use running::Running;

pub(super) fn run(bpffs: &Path, args: &LibvirtHookArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    if let Some(hooks) = &args.install {
        return install::install(bpffs, hooks, args.dry_run, out);
    }
    if let Some(hooks) = &args.uninstall {
        return install::uninstall(hooks, args.dry_run, out);
    }
    // The parser of arguments has seen to it that there are two.
    let operation = args.call.get(1).map(|word| word.as_os_str()).and_then(OsStr::to_str).unwrap_or_default();
    match (args.driver, operation) {
        (Driver::Qemu, "prepare") => start(bpffs, Moment::Prepared),
        (Driver::Qemu, "start") => start(bpffs, Moment::Starting),
        (Driver::Qemu, "started") => start(bpffs, Moment::Running),
        (Driver::Qemu, "reconnect" | "attach") => Ok(never_fails(start(bpffs, Moment::Running))),
        (Driver::Qemu, "stopped" | "release") => Ok(never_fails(end(bpffs))),
        (Driver::Network, "port-created") => port_created(bpffs),
        _ => Ok(Outcome::Yes),
    }
}

/// Where libvirt kills a running guest because of a failure, or does not care.
fn never_fails(result: Result<Outcome, Error>) -> Outcome {
    if let Err(error) = result {
        // Nothing is left to tell if standard error is gone.
        let _ = writeln!(io::stderr(), "netctl: {}", chain(&error));
    }
    Outcome::Yes
}

fn start(bpffs: &Path, moment: Moment) -> Result<Outcome, Error> {
    let domain = Domain::parse(&libvirt::read(io::stdin().lock())?)?;
    let Some(running) = running_for(bpffs, domain.wanted.is_some(), &domain.name)? else {
        return Ok(Outcome::Yes);
    };
    let is_filtered = |port: &str| running.is_filtered(port);
    let around =
        Around { config: &running.state.config, observed: &running.observed, is_filtered: &is_filtered };
    let edit = libvirt::adopt(&domain, around, moment)?;
    running.apply(&edit, &domain.name)?;
    Ok(Outcome::Yes)
}

/// `None` if nothing runs that the domain could be the business of.
fn running_for<'a>(bpffs: &'a Path, has_metadata: bool, domain: &str) -> Result<Option<Running<'a>>, Error> {
    let refused = |why: &str| HookError::Refused { domain: quoted(domain), why: why.to_owned() };
    // A daemon of a user's session makes no interfaces: it gets them from a helper, or opens netctl's own.
    if !nix::unistd::geteuid().is_root() {
        let why = "it has netctl metadata, and this libvirt is not root's, so that nothing can be adopted for it; \
                   give it `<interface type='ethernet'>` with `managed='no'` on a port of netctl's that has this \
                   user as `owner`, and no metadata";
        return if has_metadata { Err(refused(why).into()) } else { Ok(None) };
    }
    match Running::begin(bpffs)? {
        None if has_metadata => Err(refused(
            "it has netctl metadata, and netctl is not running here: no policy would be enforced; describe its \
             network in a document and run `netctl apply FILE` first",
        )
        .into()),
        running => Ok(running),
    }
}

fn end(bpffs: &Path) -> Result<Outcome, Error> {
    let domain = Domain::parse_identity(&libvirt::read(io::stdin().lock())?)?;
    if let Some(running) = running_for(bpffs, false, &domain.name)? {
        let edit = libvirt::release(&domain.uuid, &running.state.config, &running.observed);
        running.apply(&edit, &domain.name)?;
    }
    Ok(Outcome::Yes)
}

fn port_created(bpffs: &Path) -> Result<Outcome, Error> {
    let Some(port) = NetworkPort::parse(&libvirt::read(io::stdin().lock())?)? else {
        return Ok(Outcome::Yes);
    };
    if let Some(running) = running_for(bpffs, false, "")? {
        port.check(&running.state.config, &running.observed)?;
    }
    Ok(Outcome::Yes)
}
