//! `netctl port …`.

use clap::{Args, Subcommand};

use super::JsonArgs;

#[derive(Debug, Subcommand)]
pub enum PortCommand {
    /// One line per port, with its interface and state.
    #[command(after_help = "Example:\n  netctl port list --json")]
    List(JsonArgs),

    /// The addresses that each port may use: by the document, by its MAC address, or because it has learned them.
    #[command(after_help = "Example:\n  netctl port addresses web1 --json")]
    Addresses(PortAddressesArgs),

    /// Add a port to the running document, and apply it.
    ///
    /// The port's section goes to the end of the document; `netctl show` prints the whole.
    #[command(after_help = "Example:\n  netctl port add web2 --network lab --address 10.0.0.12 --group web")]
    Add(PortAddArgs),

    /// Take a port out of the running document, and apply it. Its interface goes with it.
    #[command(after_help = "Example:\n  netctl port remove web2")]
    Remove(PortNameArgs),

    /// Enforce the policy on a tap or macvtap that something else made: libvirt, Incus, KubeVirt, or a command.
    ///
    /// The interface stays its owner's: netctl puts its programs on it and changes nothing else. Which network it is
    /// on and, for a macvtap, its guest's MAC address are found by looking. It becomes a port of the running document.
    #[command(after_help = "Example:\n  netctl port adopt vnet0 --mac 52:54:00:00:00:31 --address 10.0.0.31")]
    Adopt(PortAdoptArgs),

    /// Take the programs off an adopted interface, and its port out of the running document.
    ///
    /// Its guest is no longer filtered afterwards.
    #[command(after_help = "Example:\n  netctl port release vnet0")]
    Release(PortNameArgs),
}

#[derive(Debug, Args)]
pub struct PortAddressesArgs {
    /// Only of this port.
    pub port: Option<String>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// What the ports that are added and adopted have in common.
#[derive(Debug, Args)]
pub struct NewPortArgs {
    /// An address that the guest may send from, or `learn` or `any`; can be given several times.
    #[arg(long = "address", value_name = "ADDRESS")]
    pub addresses: Vec<String>,
    /// A group that the port belongs to; can be given several times.
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<String>,
}

/// How an edit is made.
#[derive(Debug, Args)]
pub struct EditArgs {
    /// Agree to what may cut the host off.
    #[arg(long)]
    pub yes: bool,
    /// Fail, and say who it is, where another netctl is changing the host; the default is to wait.
    #[arg(long)]
    pub no_wait: bool,
    /// Print what would change, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct PortAddArgs {
    /// Name of the new port.
    pub name: String,
    /// The network that it belongs to.
    #[arg(long)]
    pub network: String,
    /// MAC address of the guest's NIC; derived from the name if left out.
    #[arg(long)]
    pub mac: Option<String>,
    #[command(flatten)]
    pub new: NewPortArgs,
    /// Name of the interface; derived from the port's if left out.
    #[arg(long)]
    pub ifname: Option<String>,
    /// Queue pairs.
    #[arg(long)]
    pub queues: Option<u16>,
    /// Who may open the tap without privileges: a name or uid.
    #[arg(long)]
    pub owner: Option<String>,
    /// Bytes.
    #[arg(long)]
    pub mtu: Option<u16>,
    /// `auto`, `on` or `off`.
    #[arg(long)]
    pub vhost: Option<String>,
    /// Passthrough without a pool: the NIC that the guest gets.
    #[arg(long)]
    pub uplink: Option<String>,
    #[command(flatten)]
    pub edit: EditArgs,
}

#[derive(Debug, Args)]
pub struct PortNameArgs {
    /// Name of the port.
    pub name: String,
    #[command(flatten)]
    pub edit: EditArgs,
}

#[derive(Debug, Args)]
pub struct PortAdoptArgs {
    /// The tap or macvtap.
    pub interface: String,
    /// Name of the port; the interface's if left out.
    #[arg(long)]
    pub name: Option<String>,
    /// The network; found by the bridge or uplink of the interface if left out.
    #[arg(long)]
    pub network: Option<String>,
    /// MAC address of the guest's NIC; a macvtap has it itself.
    #[arg(long)]
    pub mac: Option<String>,
    #[command(flatten)]
    pub new: NewPortArgs,
    #[command(flatten)]
    pub edit: EditArgs,
}
