//! A domain, as libvirt describes it to a hook: its NICs, and what its metadata says about their ports.
//!
//! What stands in netctl's own part of the metadata has to be understood whole. A slip there that was passed over would
//! leave a guest with another port than was meant.

use roxmltree::{Document, Node};

use super::error::HookError;
use super::{NAMESPACE, xml};
use crate::config::escape::quoted;
use crate::config::{Mac, is_uuid};

/// What a hook needs of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// Any text: whoever defines a domain names it.
    pub name: String,
    /// As libvirt writes it.
    pub uuid: String,
    pub nics: Vec<Nic>,
    /// `None` without netctl's metadata.
    pub wanted: Option<Vec<Wanted>>,
}

/// An `<interface>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nic {
    /// `bridge`, `network`, `direct`, `ethernet`, `user`, …
    pub kind: String,
    pub mac: Option<Mac>,
    pub alias: Option<String>,
    /// Interface on the host, from when it is there.
    pub target: Option<String>,
}

/// Which NIC a port of the metadata is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    Mac(Mac),
    Alias(String),
}

/// A port of the metadata, in its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub key: Key,
    pub name: Option<String>,
    pub network: Option<String>,
    pub groups: Vec<String>,
    /// `["any"]` where they are not to be checked.
    pub addresses: Vec<String>,
}

const ATTRIBUTES: [&str; 6] = ["mac", "alias", "name", "network", "groups", "addresses"];

impl Domain {
    /// Reads libvirt's XML.
    ///
    /// # Errors
    /// [`HookError::Xml`], [`HookError::NotLibvirt`]; [`HookError::Metadata`] for anything unknown there.
    pub fn parse(text: &str) -> Result<Self, HookError> {
        let document = xml::parse(text)?;
        let identity = Self::identity(&document)?;
        let root = document.root_element();
        let nics = xml::children(root, "devices").flat_map(|devices| xml::children(devices, "interface"));
        let wanted =
            xml::child(root, "metadata").map(|metadata| wanted(metadata, &identity.name)).transpose()?;
        Ok(Self { nics: nics.map(nic).collect(), wanted: wanted.flatten(), ..identity })
    }

    /// Reads name and UUID only: what ends is let go, whatever its metadata says meanwhile.
    ///
    /// # Errors
    /// [`HookError::Xml`], [`HookError::NotLibvirt`].
    pub fn parse_identity(text: &str) -> Result<Self, HookError> {
        Self::identity(&xml::parse(text)?)
    }

    fn identity(document: &Document<'_>) -> Result<Self, HookError> {
        let root = document.root_element();
        if !root.has_tag_name("domain") {
            let found = quoted(root.tag_name().name());
            return Err(HookError::NotLibvirt(format!("this is no domain but {found}")));
        }
        let name = xml::text(root, "name").unwrap_or_default().to_owned();
        let uuid = xml::text(root, "uuid").unwrap_or_default().to_owned();
        if !is_uuid(&uuid) {
            return Err(HookError::NotLibvirt(format!("the domain {} has no UUID", quoted(&name))));
        }
        Ok(Self { name, uuid, nics: Vec::new(), wanted: None })
    }
}

impl Nic {
    /// For a message: by the MAC address, which people know it by.
    pub fn described(&self) -> String {
        let kind = quoted(&self.kind);
        match self.mac {
            Some(mac) => format!("the interface with MAC address {mac} (type {kind})"),
            None => format!("an interface of type {kind}"),
        }
    }
}

impl Wanted {
    pub fn is_for(&self, nic: &Nic) -> bool {
        match &self.key {
            Key::Mac(mac) => nic.mac == Some(*mac),
            Key::Alias(alias) => nic.alias.as_ref() == Some(alias),
        }
    }

    /// For a message.
    pub fn described(&self) -> String {
        match &self.key {
            Key::Mac(mac) => format!("mac=\"{mac}\""),
            Key::Alias(alias) => format!("alias={}", quoted(alias)),
        }
    }
}

/// An Ethernet address as libvirt writes it: `52:54:00:00:00:11`.
pub fn mac(text: &str) -> Option<Mac> {
    let mut octets = [0; 6];
    let mut parts = text.split(':');
    for octet in &mut octets {
        let part =
            parts.next().filter(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()))?;
        *octet = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(Mac(octets))
}

fn nic(node: Node<'_, '_>) -> Nic {
    Nic {
        kind: node.attribute("type").unwrap_or_default().to_owned(),
        mac: xml::attribute(node, "mac", "address").and_then(mac),
        alias: xml::attribute(node, "alias", "name").map(str::to_owned),
        target: xml::attribute(node, "target", "dev").map(str::to_owned),
    }
}

/// `<netctl:domain>` in `<metadata>`. libvirt keeps one element of a namespace there.
fn wanted(metadata: Node<'_, '_>, domain: &str) -> Result<Option<Vec<Wanted>>, HookError> {
    let refuse = |why: String| HookError::Metadata { domain: quoted(domain), why };
    let ours = metadata.children().filter(|child| child.tag_name().namespace() == Some(NAMESPACE));
    let ours: Vec<_> = ours.collect();
    let [ours] = ours.as_slice() else {
        return if ours.is_empty() { Ok(None) } else { Err(refuse("it is there twice; remove one".into())) };
    };
    if ours.tag_name().name() != "domain" {
        let found = quoted(ours.tag_name().name());
        return Err(refuse(format!(
            "there is no element {found}; write `domain` with `port` elements in it"
        )));
    }
    if let Some(unknown) = ours.attributes().next() {
        return Err(refuse(format!("`domain` has no attribute {}; remove it", quoted(unknown.name()))));
    }
    let elements = ours.children().filter(Node::is_element);
    elements.map(|element| port(element).map_err(refuse)).collect::<Result<Vec<_>, _>>().map(Some)
}

fn port(node: Node<'_, '_>) -> Result<Wanted, String> {
    let tag = node.tag_name();
    if tag.name() != "port" || tag.namespace() != Some(NAMESPACE) {
        let found = quoted(tag.name());
        return Err(format!("there is no element {found} in the namespace {NAMESPACE}; write `port`"));
    }
    let known = |name: &str| ATTRIBUTES.contains(&name);
    if let Some(unknown) = node.attributes().find(|a| a.namespace().is_some() || !known(a.name())) {
        let list = ATTRIBUTES.join("`, `");
        return Err(format!("a port has no attribute {}; write `{list}`", quoted(unknown.name())));
    }
    let key = match (node.attribute("mac"), node.attribute("alias")) {
        (Some(text), None) => Key::Mac(mac(text).ok_or_else(|| {
            format!("{} is no MAC address; write it like mac=\"52:54:00:00:00:11\"", quoted(text))
        })?),
        (None, Some(alias)) => Key::Alias(alias.to_owned()),
        _ => return Err("a port is for one interface; name it by either `mac` or `alias`".to_owned()),
    };
    let words = |name| node.attribute(name).map(|text| text.split_whitespace().map(str::to_owned).collect());
    let Some(addresses) = words("addresses") else {
        return Err(format!(
            "the port with {} has no `addresses`; write the guest's, like addresses=\"10.0.0.11 fd00::11\", \
             or addresses=\"any\" to check none",
            Wanted { key, name: None, network: None, groups: Vec::new(), addresses: Vec::new() }.described()
        ));
    };
    Ok(Wanted {
        key,
        name: node.attribute("name").map(str::to_owned),
        network: node.attribute("network").map(str::to_owned),
        groups: words("groups").unwrap_or_default(),
        addresses,
    })
}

#[cfg(test)]
mod tests;
