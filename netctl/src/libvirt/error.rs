//! Why a hook refuses. libvirt shows the sentence to whoever started the domain.

use std::io;

use super::MAX_BYTES;

/// What stands in the way of a domain's start.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    #[error("cannot read libvirt's XML on standard input")]
    Input(#[source] io::Error),
    #[error("libvirt's XML has more than {MAX_BYTES} bytes; netctl takes no larger domain")]
    TooLarge,
    #[error("an element of libvirt's XML has too many attributes; netctl takes no such domain")]
    Crowded,
    #[error("libvirt's XML on standard input cannot be read")]
    Xml(#[from] roxmltree::Error),
    #[error(
        "{0}; a hook gets its XML from libvirt: `netctl libvirt-hook --install` puts it where libvirt calls it"
    )]
    NotLibvirt(String),
    /// `domain` and `why` are fit for a terminal.
    #[error("the netctl metadata of domain {domain}: {why}")]
    Metadata { domain: String, why: String },
    /// `domain` and `why` are fit for a terminal.
    #[error("domain {domain}: {why}")]
    Refused { domain: String, why: String },
}
