//! libvirt's hooks: what libvirt says about a starting or ending domain, and what becomes of it in the running document.
//!
//! Pure: XML to values ([`domain`], [`network_port`]), values to an [`Edit`] ([`adopt()`], [`release()`]). The commands in
//! `cmd/libvirt` read and apply. Nothing here asks libvirt, which waits for its hooks: it would wait for itself.

mod adopt;
pub mod domain;
mod error;
mod keep;
pub mod network_port;
mod release;
pub mod script;
mod xml;

pub use adopt::{Around, Moment, adopt};
pub use domain::{Domain, Nic, Wanted};
pub use error::HookError;
pub use keep::keep;
pub use network_port::NetworkPort;
pub use release::release;
pub use xml::{MAX_BYTES, read};

use crate::config::Mac;
use crate::config::edit::{EditError, NewSection, add_port, remove_port};

/// Namespace of netctl's metadata in a domain. A name, nothing that is ever fetched.
pub const NAMESPACE: &str = "https://netctl.dev/libvirt/1";

/// A change of the running document's ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// Names of ports.
    pub remove: Vec<String>,
    pub add: Vec<NewPort>,
    /// Programs that are missing from an interface whose port stands in the document already.
    pub heal: bool,
}

impl Edit {
    /// Whether the running document is right as it is.
    pub const fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.add.is_empty() && !self.heal
    }

    /// The text of a document, changed so.
    ///
    /// # Errors
    /// [`EditError`]
    pub fn of(&self, document: &str) -> Result<String, EditError> {
        let mut text = document.to_owned();
        for name in &self.remove {
            text = remove_port(&text, name)?.unwrap_or(text);
        }
        self.add.iter().try_fold(text, |text, port| add_port(&text, &port.name, &port.section()))
    }
}

/// An adopted port, in the words of the metadata: the document's parser checks them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPort {
    pub name: String,
    pub network: String,
    pub mac: Mac,
    /// `["any"]` where they are not to be checked.
    pub addresses: Vec<String>,
    pub groups: Vec<String>,
    pub interface: String,
    /// UUID.
    pub domain: String,
}

impl NewPort {
    fn section(&self) -> NewSection {
        let mut section = NewSection::default();
        section.text("network", &self.network);
        section.text("mac", self.mac);
        match self.addresses.as_slice() {
            [word] if word == "any" || word == "learn" => section.text("addresses", word),
            listed => section.texts("addresses", listed),
        }
        if !self.groups.is_empty() {
            section.texts("groups", &self.groups);
        }
        section.text("ifname", &self.interface);
        section.yes("adopt");
        section.text("domain", &self.domain);
        section
    }
}
