//! What can be typed after `netctl relay`.

use std::os::fd::RawFd;
use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct RelayArgs {
    /// Port of the running document.
    pub port: String,
    #[command(flatten)]
    pub socket: SocketArgs,
    /// Path of the own socket, to which the monitor sends; for `--connect unix-dgram:PATH`.
    #[arg(long, value_name = "PATH", requires = "connect")]
    pub bind: Option<PathBuf>,
}

/// Exactly one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct SocketArgs {
    /// Wait for monitors: unix:PATH (for the port's `owner` and root), tcp:PORT (on 127.0.0.1) or tcp:ADDRESS:PORT.
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Connect to a monitor that waits: also unix-dgram:PATH.
    #[arg(long, value_name = "ADDRESS")]
    pub connect: Option<String>,
    /// Use a connected socket that this process has inherited by this number.
    #[arg(long, value_name = "NUMBER")]
    pub fd: Option<RawFd>,
}
