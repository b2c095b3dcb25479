//! One file per command. Commands build rows and plans; printing is [`crate::output`]'s.

mod apply;
mod capture;
mod check;
mod confirm;
#[cfg(feature = "bpf-log")]
mod debug_log;
mod down;
mod events;
mod explain;
mod fd;
mod flows;
mod generate;
mod libvirt;
mod limits;
mod man;
mod map;
mod metrics;
mod network;
mod open;
mod policy;
mod pool;
mod port;
mod relay;
mod report;
mod run;
mod show;
mod stats;
mod top;
mod upgrade;

use std::future::Future;
use std::io::{self, IsTerminal};

use crate::cli::{Cli, Color, Command, FdCommand, NetworkCommand, PoolCommand};
use crate::error::{Error, Outcome};

/// Runs the command that was typed.
pub fn run(cli: &Cli) -> Result<Outcome, Error> {
    let bpffs = cli.bpffs.as_path();
    let out = &mut io::stdout().lock();
    match &cli.command {
        Command::Check(args) => check::run(args, use_color(cli.color), out),
        Command::Apply(args) => apply::run(bpffs, args, use_color(cli.color), out),
        Command::Confirm(args) => confirm::run(bpffs, args, out),
        Command::Diff(args) => apply::diff(bpffs, args, use_color(cli.color), out),
        Command::Show(args) => show::run(bpffs, args, out),
        Command::Upgrade(args) => upgrade::run(bpffs, args, use_color(cli.color), out),
        Command::Down(args) => down::run(bpffs, args, out),
        Command::Network(NetworkCommand::List(args)) => network::list(bpffs, args, out),
        Command::Network(NetworkCommand::Probe(args)) => network::probe(bpffs, args, out),
        Command::Port(command) => port::run(bpffs, command, use_color(cli.color), out),
        Command::Pool(PoolCommand::List(args)) => pool::list(bpffs, args, out),
        Command::Run(args) => run::run(bpffs, args, out),
        Command::Fd(FdCommand::Inspect(args)) => fd::inspect(bpffs, args, out),
        Command::Fd(FdCommand::Reset(args)) => fd::reset(bpffs, args, out),
        // Parsed by itself, before anything else: `main` does not let it come here.
        Command::Helper(args) => Ok(Outcome::yes_if(crate::helper::run(args.arguments.iter().cloned()) == 0)),
        Command::LibvirtHook(args) => libvirt::run(bpffs, args, out),
        Command::Relay(args) => relay::run(bpffs, args),
        Command::Open(args) => open::run(bpffs, args, out),
        Command::Explain(args) => explain::run(bpffs, args, use_color(cli.color), out),
        Command::Events(args) => events::run(bpffs, args, out),
        Command::Capture(args) => capture::run(bpffs, args, out),
        Command::Top(args) => top::run(bpffs, args, cli.color, out),
        Command::Policy(command) => policy::run(bpffs, command, use_color(cli.color), out),
        Command::Flows(args) => flows::run(bpffs, args, out),
        Command::Stats(args) => stats::run(bpffs, args, out),
        Command::Map(command) => map::run(bpffs, command, out),
        #[cfg(feature = "bpf-log")]
        Command::DebugLog => debug_log::run(bpffs, out),
        Command::Metrics(args) => metrics::run(bpffs, args, out),
        Command::Report(args) => report::run(bpffs, args, out),
        Command::Schema => generate::schema(out),
        Command::Completions { shell } => generate::completions(*shell, out),
        Command::Man { directory } => man::run(directory),
    }
}

/// Diagnostics go to standard error; colour follows it.
fn use_color(color: Color) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    }
}

/// Runs what waits for the kernel's netlink or journal.
fn block_on<F: Future>(future: F) -> Result<F::Output, Error> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Runtime)?;
    Ok(runtime.block_on(future))
}
