//! `netctl map`.

use clap::{Args, Subcommand};

use super::JsonArgs;

#[derive(Debug, Subcommand)]
pub enum MapCommand {
    /// Every map with its size and memory.
    #[command(after_help = "Example:\n  netctl map list")]
    List(JsonArgs),
    /// The elements of one map, in the document's words.
    #[command(after_help = "Example:\n  netctl map dump addresses\n  netctl map dump rules --raw")]
    Dump(MapDumpArgs),
    /// The elements of one map that a key stands for.
    ///
    /// The key is one that `map dump` prints, or words of it: an address, a port's name, a rule's number. An address finds its
    /// longest prefix, and a service the range that it is in.
    #[command(
        after_help = "Example:\n  netctl map get addresses 10.0.0.11\n  netctl map get rules 'rule 1'\n  netctl map get services tcp/443"
    )]
    Get(MapGetArgs),
    /// The kernel memory of the maps: of each, of a generation, of a port, of a rule.
    #[command(after_help = "Example:\n  netctl map memory")]
    Memory(JsonArgs),
}

#[derive(Debug, Args)]
pub struct MapDumpArgs {
    /// Name of the map, as `map list` prints it.
    pub map: String,
    /// Only what is this port's; for `flows`, `openings`, `port_counters`, `buckets` and the budgets.
    #[arg(long)]
    pub port: Option<String>,
    /// The bytes of keys and values, in hex, as they are in the kernel.
    #[arg(long)]
    pub raw: bool,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct MapGetArgs {
    /// Name of the map, as `map list` prints it.
    pub map: String,
    /// A key, or words of one.
    pub key: String,
    /// Only what is this port's.
    #[arg(long)]
    pub port: Option<String>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}
