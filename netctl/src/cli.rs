//! What can be typed. Each doc comment is the help text.

mod capture;
mod duration;
mod events;
mod explain;
mod fd;
mod flows;
mod libvirt;
mod map;
mod metrics;
mod policy;
mod port;
mod relay;
mod report;
mod size;
mod stats;
mod top;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::kernel::pins::BPFFS;
use crate::vmm::Vmm;

pub use capture::{CaptureArgs, CapturePlace, Directions, Verdicts};
pub use events::EventsArgs;
pub use explain::{ExplainArgs, Way};
pub use fd::{FdCommand, FdInspectArgs, FdResetArgs, FdTarget};
pub use flows::{FlowFilterArgs, FlowSort, FlowState, FlowVerdict, FlowsArgs, FlowsCommand, FlowsKillArgs};
pub use libvirt::LibvirtHookArgs;
pub use map::{MapCommand, MapDumpArgs, MapGetArgs};
pub use metrics::{MetricsArgs, MetricsFormat};
pub use policy::{PolicyCommand, PolicyDiffArgs, PolicyLearnArgs, PolicyMatrixArgs, PolicyTestArgs};
pub use port::{
    EditArgs, NewPortArgs, PortAddArgs, PortAddressesArgs, PortAdoptArgs, PortCommand, PortNameArgs,
};
pub use relay::RelayArgs;
pub use report::ReportArgs;
pub use stats::StatsArgs;
pub use top::TopArgs;

/// Access control and descriptors for the network ports of virtual machines.
///
/// One document describes networks, ports and the policy between them; `netctl apply` makes the host so. The policy is
/// enforced in the kernel and stays when netctl exits. Exit status: 0 done or yes, 1 the answer is no, 2 could not run.
#[derive(Debug, Parser)]
#[command(
    name = "netctl",
    version,
    after_help = "Example:\n  netctl apply host.toml && netctl explain web1 db1 tcp/5432"
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,

    /// Mount point of the BPF file system that holds the running state.
    #[arg(long, global = true, env = "NETCTL_BPFFS", default_value = BPFFS, value_name = "DIR")]
    pub bpffs: PathBuf,

    /// When to use colour.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a document: all errors and warnings, with their lines. Needs no root.
    #[command(after_help = "Example:\n  netctl check host.toml")]
    Check(FileArgs),

    /// Make the host as the document says.
    ///
    /// Interfaces are made with their programs attached before they go up; the policy changes in one step. On an error
    /// the running policy stays.
    #[command(after_help = "Example:\n  netctl apply host.toml --dry-run")]
    Apply(ApplyArgs),

    /// Keep the document that `apply --confirm` applied.
    ///
    /// Without it, what ran before comes back by itself. Exits with 1 if nothing is to be confirmed.
    #[command(
        after_help = "Example:\n  netctl apply host.toml --confirm 60s & sleep 3; netctl confirm; wait $!"
    )]
    Confirm(ConfirmArgs),

    /// What `apply` would change. Exits with 1 if there is something.
    #[command(after_help = "Example:\n  netctl diff host.toml")]
    Diff(FileArgs),

    /// The document that runs, in the form that `apply` accepts.
    #[command(after_help = "Example:\n  netctl show > host.toml")]
    Show(JsonArgs),

    /// Move what runs to this build's programs.
    ///
    /// After netctl was replaced by another version or build: flows and counters are kept, and every frame is judged by the
    /// old programs or by the new ones. Interrupted, it is to be called again.
    #[command(after_help = "Example:\n  netctl upgrade --dry-run")]
    Upgrade(UpgradeArgs),

    /// Remove all that netctl made: ports, networks, programs and maps.
    #[command(after_help = "Example:\n  netctl down --dry-run")]
    Down(DownArgs),

    /// Networks of the running document.
    #[command(subcommand, after_help = "Example:\n  netctl network list")]
    Network(NetworkCommand),

    /// Ports of the running document: list them, add and remove them, enforce on interfaces that others made.
    #[command(subcommand, after_help = "Example:\n  netctl port list --json")]
    Port(PortCommand),

    /// Virtual functions that ports lease.
    #[command(subcommand, after_help = "Example:\n  netctl pool list")]
    Pool(PoolCommand),

    /// Start a virtual machine monitor with the descriptors of ports.
    ///
    /// Opens the queues of each port (and vhost where it can be had), puts the arguments for them in place of `{PORT}`
    /// among the monitor's arguments, and becomes the monitor.
    #[command(
        after_help = "Example:\n  netctl run web1 -- qemu-system-x86_64 -m 512 -nographic '{web1}' disk.qcow2"
    )]
    Run(RunArgs),

    /// Open descriptors: what they are, and how they are used again.
    #[command(subcommand, after_help = "Example:\n  netctl fd inspect 0")]
    Fd(FdCommand),
    /// Hand one queue of a port to an unprivileged monitor: a drop-in for qemu-bridge-helper.
    ///
    /// Takes that program's arguments, `[--use-vnet] --br=NAME --fd=N`, in any order; NAME is a network of netctl's, or a
    /// port. Who may have which is in /etc/netctl/grants.toml and /etc/qemu/bridge.conf. Installed for others to use it is
    /// netctl-bridge-helper; see docs/bridge-helper.md. Exit status: 0 done, 1 refused.
    #[command(
        after_help = "Example:\n  qemu-system-x86_64 -nographic -netdev 'bridge,id=n,br=web1,helper=netctl helper'"
    )]
    Helper(HelperArgs),
    /// Called by libvirt: the policy on the interfaces of its guests, from before they start until they end.
    ///
    /// Reads the domain's XML on standard input. What a guest may send from stands in the domain's metadata; see
    /// docs/libvirt.md. `--install` writes the scripts that libvirt calls.
    #[command(after_help = "Example:\n  netctl libvirt-hook --install --dry-run")]
    LibvirtHook(LibvirtHookArgs),
    /// Give a port to a monitor that takes frames on a socket.
    ///
    /// Moves frames between the socket and the port, where the port's programs judge them, until the connection ends or it is
    /// stopped; with --listen, for one monitor after the other. Holds the port meanwhile. Its process has no privileges.
    #[command(
        after_help = "Example:\n  netctl relay web1 --listen unix:/run/web1.sock\n  netctl relay web1 --listen tcp:5000"
    )]
    Relay(RelayArgs),
    /// Open ports, and send their descriptors over a unix socket.
    ///
    /// For a program that runs already: one message for each port, a line of JSON with the port's descriptors. With --for,
    /// opens nothing, and prints what a monitor that opens its tap itself has to be told.
    #[command(
        after_help = "Example:\n  netctl open web1 db1 --socket vmm.sock --dry-run\n  netctl open web1 --for firecracker"
    )]
    Open(OpenArgs),

    /// Would this flow be allowed, by which rule, at which port?
    ///
    /// Asks the running programs, or, with --document, the same code in user space, and shows each step of the decision, who both
    /// ends are to the rules, and what to change. Leaves no trace. Exits with 1 if it is denied.
    #[command(
        after_help = "Example:\n  netctl explain web1 db1 tcp/5432\n  netctl explain --from world/192.0.2.7 --to web1 icmp\n  netctl explain web1 db1 tcp/5432 --as-new"
    )]
    Explain(ExplainArgs),

    /// What was denied and why, what rules with `log` let pass, and changes of the policy.
    ///
    /// Shows what the journal in the kernel has kept, oldest first; any number of readers can look at once.
    #[command(
        after_help = "Example:\n  netctl events --port web1 --verdict deny --last 20\n  netctl events --follow --json"
    )]
    Events(EventsArgs),

    /// Frames at a port, with what was decided about each: for Wireshark and tshark, or as lines.
    ///
    /// Each packet of the file has a comment that says verdict, reason and rule. Ends with ^C, or when it has what was asked for.
    /// What a full ring or the rate left out is counted, and said at the end.
    #[command(
        after_help = "Example:\n  netctl capture web1 --verdict deny --duration 1s -w denied.pcapng\n  netctl capture --all --duration 1s -w - | tshark -r -"
    )]
    Capture(CaptureArgs),

    /// What goes on now: ports with their rates, rules, connections and denials, on a terminal.
    ///
    /// Keys: q quit, s sort, up and down select a port, enter shows only that port, p pause, h help.
    #[command(after_help = "Example:\n  netctl top --once")]
    Top(TopArgs),

    /// The policy: rules from what passes, tests, who reaches whom, what changes between two.
    #[command(subcommand, after_help = "Example:\n  netctl policy learn")]
    Policy(PolicyCommand),

    /// Flow tables of the ports.
    #[command(
        after_help = "Example:\n  netctl flows --port web1\n  netctl flows --peer 10.0.0.0/24 --state established --sort bytes --limit 10\n  netctl flows --follow --service tcp"
    )]
    Flows(FlowsArgs),

    /// Counters by port and reason, and by rule; rates, unused rules, and how full the tables are.
    #[command(
        after_help = "Example:\n  netctl stats --json\n  netctl stats --interval 1s\n  netctl stats --zero"
    )]
    Stats(StatsArgs),

    /// Everything that is counted, as metrics for Prometheus.
    ///
    /// Prints them as OpenMetrics text, or, with --listen, serves them; the process that scrapers talk to has no privileges.
    /// docs/metrics.md lists them.
    #[command(after_help = "Example:\n  netctl metrics\n  netctl metrics --listen 127.0.0.1:9471")]
    Metrics(MetricsArgs),

    /// What runs, as one HTML page: networks, ports, who reaches whom, rules, counters, and what was denied last.
    ///
    /// The page needs nothing else: no server, no other file, no scripts.
    #[command(after_help = "Example:\n  netctl report -o report.html")]
    Report(ReportArgs),

    /// The maps in the kernel.
    #[command(subcommand, after_help = "Example:\n  netctl map dump rules")]
    Map(MapCommand),

    /// What the programs of a build for debugging say of each frame, until ^C.
    #[cfg(feature = "bpf-log")]
    #[command(after_help = "Example:\n  netctl debug-log")]
    DebugLog,

    /// The JSON Schema of the document.
    #[command(after_help = "Example:\n  netctl schema > netctl.schema.json")]
    Schema,

    /// A completion script for a shell.
    #[command(after_help = "Example:\n  source <(netctl completions bash)")]
    Completions { shell: clap_complete::Shell },

    /// Write the manual pages into a folder.
    #[command(hide = true, after_help = "Example:\n  netctl man target/man")]
    Man { directory: PathBuf },
}

#[derive(Debug, Args)]
pub struct FileArgs {
    /// The document; `-` for standard input.
    pub file: PathBuf,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The document; `-` for standard input.
    pub file: PathBuf,
    /// Agree to what may cut the host off, such as giving the NIC of its default route to a guest.
    #[arg(long)]
    pub yes: bool,
    /// Fail, and say who it is, where another netctl is changing the host; the default is to wait.
    #[arg(long)]
    pub no_wait: bool,
    /// Put back what ran before unless `netctl confirm`, or `yes` at this terminal, comes within this time (60s, 5m, 2h), a day at most.
    ///
    /// Also if the connection of this terminal is lost meanwhile. Exits with 1 if it came to that.
    #[arg(long, value_name = "TIME", value_parser = duration::limit)]
    pub confirm: Option<std::time::Duration>,
    /// Apply although tests of the document fail.
    #[arg(long)]
    pub skip_tests: bool,
    /// Print what would change, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ConfirmArgs {
    /// Fail, and say who it is, where another netctl is changing the host; the default is to wait.
    #[arg(long)]
    pub no_wait: bool,
}

#[derive(Debug, Args)]
pub struct JsonArgs {
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct UpgradeArgs {
    /// Print from which version to which, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Fail, and say who it is, where another netctl is changing the host; the default is to wait.
    #[arg(long)]
    pub no_wait: bool,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct DownArgs {
    /// Print what would be removed, and remove nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Fail, and say who it is, where another netctl is changing the host; the default is to wait.
    #[arg(long)]
    pub no_wait: bool,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum NetworkCommand {
    /// One line per network.
    #[command(after_help = "Example:\n  netctl network list")]
    List(JsonArgs),

    /// Ask the switch behind the uplink of a macvlan or vepa network whether it sends frames back.
    ///
    /// Guests of a vepa network reach each other only if it does. Exits with 0 if it does, and with 1 if it does not.
    #[command(after_help = "Example:\n  netctl network probe inspected")]
    Probe(ProbeArgs),
}

#[derive(Debug, Args)]
pub struct ProbeArgs {
    /// Network of the running document.
    pub name: String,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum PoolCommand {
    /// One line per virtual function: whose it is, and what its NIC does for it.
    #[command(after_help = "Example:\n  netctl pool list --json")]
    List(JsonArgs),
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// Ports to open.
    #[arg(required = true, value_name = "PORT")]
    pub ports: Vec<String>,
    /// Whose options to write for a port; default: those of the monitor, by its program's name.
    #[arg(long, value_enum, value_name = "NAME")]
    pub vmm: Option<Vmm>,
    /// Pass the descriptors as a service manager does: from number 3 on, with LISTEN_FDS, LISTEN_FDNAMES and LISTEN_PID.
    ///
    /// Placeholders are not needed then. The names are those of the ports, with `-vhost` behind them for vhost-net.
    #[arg(long)]
    pub listen_fds: bool,
    /// Run the monitor as this user: with its groups, without capabilities, and without a way to gain any.
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// The monitor and its arguments.
    #[arg(required = true, last = true, value_name = "VMM")]
    pub command: Vec<std::ffi::OsString>,
    /// Print the monitor's command line, with the numbers that the descriptors would have, and start nothing.
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct HelperArgs {
    /// What QEMU or libvirt passes.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    pub arguments: Vec<std::ffi::OsString>,
}

#[derive(Debug, Args)]
pub struct OpenArgs {
    /// Ports to open.
    #[arg(required = true, value_name = "PORT")]
    pub ports: Vec<String>,
    #[command(flatten)]
    pub way: OpenWay,
    /// Open the ports, print what would be sent, and send nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// Where the descriptors go.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct OpenWay {
    /// To who listens on this unix socket, of type stream or seqpacket.
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Over the connected unix socket that netctl was started with under this number.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub fd: Option<i32>,
    /// Nowhere: print the configuration of a monitor that takes none.
    #[arg(long = "for", value_enum, value_name = "NAME")]
    pub vmm: Option<Vmm>,
}
