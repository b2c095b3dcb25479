//! Opens a port from Rust: `cargo run --example open_port -- web1`, as root, where `netctl apply` has made the port.
//!
//! A VMM that is written in Rust, or whatever starts one, does the same: asks what runs, opens the port, and uses the
//! descriptors or passes them on. They close, and the port is free again, when `Opened` is dropped.

use std::path::Path;
use std::process::ExitCode;

use netctl::error::Error;
use netctl::kernel::pins::BPFFS;
use netctl::network::Netlink;
use netctl::state::State;
use netctl::vmm::open::{Opened, open};
use netctl::vmm::{Vmm, handover};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(name) = std::env::args().nth(1) else {
        eprintln!("usage: open_port PORT");
        return ExitCode::from(2);
    };
    match open_port(&name).await {
        Ok(opened) => show(&opened),
        Err(error) => {
            eprintln!("open_port: {error}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// Nothing is opened that is not filtered: `run_port` refuses it.
async fn open_port(name: &str) -> Result<Opened, Error> {
    let bpffs = std::env::var_os("NETCTL_BPFFS").unwrap_or_else(|| BPFFS.into());
    let state = State::read(Path::new(&bpffs))?;
    let port = state.run_port(name)?;
    let opened = open(&Netlink::connect()?, &port).await?;
    state.ensure_enforced(&[name.to_owned()])?;
    Ok(opened)
}

/// The numbers, QEMU's options for them, and the message by which `netctl open` would send them.
fn show(opened: &Opened) {
    let described = opened.describe();
    println!("queues: {:?}", described.fds);
    match &described.vhost_fds {
        Ok(fds) => println!("vhost: {fds:?}"),
        Err(reason) => println!("no vhost: {reason}"),
    }
    if let Some(arguments) = Vmm::Qemu.arguments(&described, "nic0") {
        println!("QEMU: {}", arguments.join(" "));
    }
    println!("message: {:?}", handover::Message::new(opened, 0));
}
