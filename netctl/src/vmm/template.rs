//! The VMM's arguments with placeholders for ports: `{web1}`, `{web1.fds}`, …. Pure.
//!
//! Only `{NAME}` and `{NAME.KEY}` of letters, digits and `-._` are placeholders, and `{NAME.KEY,}`, which asks for commas
//! in a list; JSON and shell braces are left alone, and `{{web1}` stands for the text `{web1}`.

mod sockets;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::run::Launch;
use super::socket::SocketKind;
use super::{OpenPort, RunPort, Vmm, list, qemu};
use crate::config::Vhost;

/// A command line whose placeholders are known to be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    arguments: Vec<Argument>,
    ids: Vec<String>,
    /// Whose syntax `{web1}` becomes.
    vmm: Option<Vmm>,
    /// LISTEN_FDS tells of all descriptors.
    listen: bool,
}

/// What a command uses of a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Without: the VMM opens the interface itself, or nobody does.
    pub queues: bool,
    pub vhost: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Argument {
    /// `{web1}` alone: several arguments in its place.
    Port(usize),
    /// `{web1.stream}` alone: likewise.
    Socket(usize, SocketKind),
    Pieces(Vec<Piece>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Value(usize, Key, char),
}

/// What `{NAME.KEY}` is replaced by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Fds,
    VhostFds,
    Mac,
    Interface,
    Queues,
    /// Inside an argument: the number of the descriptor.
    Socket(SocketKind),
}

/// Why arguments cannot be filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("no command; put the VMM and its arguments after `--`")]
    NoCommand,
    #[error(
        "port `{port}` has no place in the arguments; put `{{{port}}}` where the VMM's network options go"
    )]
    Unused { port: String },
    #[error("port `{port}` is named twice; a guest opens a port once")]
    PortTwice { port: String },
    #[error("`{{{port}}}` is in the arguments twice; a guest has one NIC for a port")]
    PlaceholderTwice { port: String },
    #[error("`{{{name}}}` names no port of this command; add the port before `--`, or write `{{{{{name}}}`")]
    UnknownPort { name: String },
    #[error(
        "port `{port}` is used as a socket and by its queues, or as sockets of two kinds; \
         a guest has one NIC for a port"
    )]
    MixedKinds { port: String },
    #[error(
        "`{{{port}.mcast}}`: guests of a multicast group would reach each other without crossing a port; \
         use `{{{port}.stream}}` or `{{{port}.dgram}}`"
    )]
    Multicast { port: String },
    #[error(
        "`{{{port}.packet}}`: whoever holds a packet socket can send on every interface of the host and past the \
         port's programs; use `{{{port}.stream}}` or `{{{port}.dgram}}`"
    )]
    Packet { port: String },
    #[error(
        "`{{{port}.{key}}}` is not known; there are fds, vhostfds, mac, ifname, queues, stream and dgram"
    )]
    UnknownKey { port: String, key: String },
    #[error(
        "`{{{port}}}` has to be an argument of its own in `{argument}`; inside one there is `{{{port}.fds}}`"
    )]
    NotAlone { port: String, argument: String },
    #[error(
        "`{{{port}.fds}}`: the port is a vDPA device, which has no queues; its descriptor is `{{{port}.vhostfds}}`"
    )]
    NoQueues { port: String },
    #[error("`{{{port}.vhostfds}}`: {reason}; `{{{port}}}` does without where it has to")]
    NoVhost { port: String, reason: String },
    #[error(
        "port `{port}` says `vhost = \"on\"`, and the arguments have no place for its descriptors; \
         put `{{{port}.vhostfds}}` beside `{{{port}.fds}}`"
    )]
    VhostUnused { port: String },
    #[error(
        "`{{{port}}}`: the options of `{program}` for a NIC are not known; say whose they are with `--vmm {names}`, \
         or write them with `{{{port}.fds}}`", names = known()
    )]
    UnknownVmm { port: String, program: String },
    #[error("port `{port}` is not for {vmm}: {reason}", vmm = vmm.name())]
    Unsuitable { port: String, vmm: Vmm, reason: String },
    #[error(
        "`{{{port}}}`: firecracker takes no descriptors; put what `netctl open {port} --for firecracker` prints into \
         its configuration, and name the port here in `{{{port}.ifname}}`"
    )]
    NoDescriptors { port: String },
}

fn known() -> String {
    let named = Vmm::ALL.into_iter().filter(|vmm| *vmm != Vmm::Firecracker);
    named.map(Vmm::name).collect::<Vec<_>>().join("|")
}

impl Template {
    /// In the syntax of the VMM that is named, else of the one that is recognised in the command.
    ///
    /// # Errors
    /// A placeholder that cannot be filled in, a port without one (but where LISTEN_FDS tells of it), or one that the VMM
    /// cannot use.
    pub fn parse(launch: &Launch, ports: &[RunPort]) -> Result<Self, TemplateError> {
        let command = &launch.command;
        let program = command.first().ok_or(TemplateError::NoCommand)?;
        let names: Vec<&str> = ports.iter().map(|p| p.name.as_str()).collect();
        let arguments: Vec<_> =
            command.iter().map(|argument| Argument::parse(argument, &names)).collect::<Result<_, _>>()?;
        let vmm = launch.vmm.or_else(|| Vmm::of_command(command));
        let ids = qemu::ids(names.iter().copied());
        let template = Self { arguments, ids, vmm, listen: launch.listen.is_some() };
        for (index, port) in ports.iter().enumerate() {
            if names[..index].contains(&port.name.as_str()) {
                return Err(TemplateError::PortTwice { port: port.name.clone() });
            }
            template.check_place(index, port)?;
            template.check_socket(index, port)?;
            template.check_vmm(index, port, program)?;
        }
        Ok(template)
    }

    fn check_place(&self, index: usize, port: &RunPort) -> Result<(), TemplateError> {
        let port = || port.name.clone();
        if !self.listen && !self.arguments.iter().any(|argument| argument.names(index)) {
            return Err(TemplateError::Unused { port: port() });
        }
        if self.arguments.iter().filter(|argument| argument.is_nic(index)).count() > 1 {
            return Err(TemplateError::PlaceholderTwice { port: port() });
        }
        Ok(())
    }

    fn check_vmm(&self, index: usize, port: &RunPort, program: &OsStr) -> Result<(), TemplateError> {
        let name = || port.name.clone();
        let whole = self.whole(index) > 0;
        match self.vmm {
            None if whole => {
                let program = program.to_string_lossy().into_owned();
                return Err(TemplateError::UnknownVmm { port: name(), program });
            }
            Some(vmm) if whole || vmm == Vmm::Firecracker => {
                if let Some(reason) = vmm.refusal(port) {
                    return Err(TemplateError::Unsuitable { port: name(), vmm, reason });
                }
                if vmm == Vmm::Firecracker && self.needs(index).queues {
                    return Err(TemplateError::NoDescriptors { port: name() });
                }
            }
            _ => {}
        }
        let needs = self.needs(index);
        if port.vhost == Vhost::On && needs.queues && !needs.vhost {
            return Err(TemplateError::VhostUnused { port: name() });
        }
        Ok(())
    }

    /// How often `{web1}` stands for itself.
    fn whole(&self, index: usize) -> usize {
        self.arguments.iter().filter(|argument| **argument == Argument::Port(index)).count()
    }

    /// What the command uses of a port: no descriptor goes to a VMM that was not told its number.
    pub fn needs(&self, index: usize) -> Needs {
        let has = |key| self.arguments.iter().any(|argument| argument.has(index, key));
        let whole = self.whole(index) > 0;
        let vhost = self.listen || has(Key::VhostFds) || whole && self.vmm.is_some_and(Vmm::takes_vhost);
        Needs { queues: self.listen || whole || has(Key::Fds), vhost }
    }

    /// `ports` are those of [`Self::parse`], in the same order.
    ///
    /// # Errors
    /// [`TemplateError::NoVhost`].
    pub fn fill(&self, ports: &[OpenPort<'_>]) -> Result<Vec<OsString>, TemplateError> {
        let mut filled = Vec::new();
        for argument in &self.arguments {
            match argument {
                Argument::Port(index) => {
                    let arguments = self.vmm.and_then(|vmm| vmm.arguments(&ports[*index], &self.ids[*index]));
                    filled.extend(arguments.into_iter().flatten().map(OsString::from));
                }
                Argument::Socket(index, kind) => {
                    let arguments = qemu::socket_arguments(&ports[*index], &self.ids[*index], *kind);
                    filled.extend(arguments.into_iter().map(OsString::from));
                }
                Argument::Pieces(pieces) => filled.push(fill_pieces(pieces, ports)?),
            }
        }
        Ok(filled)
    }
}

impl Argument {
    fn parse(argument: &OsStr, names: &[&str]) -> Result<Self, TemplateError> {
        let bytes = argument.as_bytes();
        let mut pieces = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            if rest.starts_with(b"{{") && placeholder(&rest[1..]).is_some() {
                pieces.push(Piece::Text(b"{".to_vec()));
                at += 2;
            } else if let Some(found) = placeholder(rest) {
                match resolve(&found, names)? {
                    (index, None) if found.length == bytes.len() => return Ok(Self::Port(index)),
                    (index, None) => {
                        let argument = argument.to_string_lossy().into_owned();
                        return Err(TemplateError::NotAlone { port: names[index].to_owned(), argument });
                    }
                    (index, Some(Key::Socket(kind))) if found.length == bytes.len() => {
                        return Ok(Self::Socket(index, kind));
                    }
                    (index, Some(key)) => pieces.push(Piece::Value(index, key, found.separator)),
                }
                at += found.length;
            } else {
                pieces.push(Piece::Text(vec![rest[0]]));
                at += 1;
            }
        }
        Ok(Self::Pieces(pieces))
    }

    fn names(&self, port: usize) -> bool {
        match self {
            Self::Port(index) | Self::Socket(index, _) => *index == port,
            Self::Pieces(pieces) => {
                pieces.iter().any(|p| matches!(p, Piece::Value(index, ..) if *index == port))
            }
        }
    }

    fn has(&self, port: usize, wanted: Key) -> bool {
        match self {
            Self::Port(_) | Self::Socket(..) => false,
            Self::Pieces(pieces) => pieces
                .iter()
                .any(|p| matches!(p, Piece::Value(index, key, _) if (*index, *key) == (port, wanted))),
        }
    }
}

/// `{NAME}`, `{NAME.KEY}` or `{NAME.KEY,}`.
struct Placeholder<'a> {
    /// Without the comma.
    name: &'a str,
    separator: char,
    /// Of all of it, in bytes.
    length: usize,
}

/// If `text` begins with a placeholder.
fn placeholder(text: &[u8]) -> Option<Placeholder<'_>> {
    let inner = text.strip_prefix(b"{")?;
    let end = inner.iter().position(|c| *c == b'}')?;
    let inner = std::str::from_utf8(&inner[..end]).ok()?;
    let (name, separator) = inner.strip_suffix(',').map_or((inner, ':'), |name| (name, ','));
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let is_one = !name.is_empty() && name.chars().all(allowed) && (separator == ':' || name.contains('.'));
    is_one.then_some(Placeholder { name, separator, length: end + 2 })
}

/// A port whose name holds a dot wins over a key.
fn resolve(found: &Placeholder<'_>, names: &[&str]) -> Result<(usize, Option<Key>), TemplateError> {
    let name = found.name;
    let index = |name: &str| names.iter().position(|n| *n == name);
    if let Some(index) = index(name).filter(|_| found.separator == ':') {
        return Ok((index, None));
    }
    let unknown = || TemplateError::UnknownPort { name: name.to_owned() };
    let (port, key) = name.rsplit_once('.').ok_or_else(unknown)?;
    let index = index(port).ok_or_else(unknown)?;
    let key = match key {
        "fds" => Key::Fds,
        "vhostfds" => Key::VhostFds,
        "mac" => Key::Mac,
        "ifname" => Key::Interface,
        "queues" => Key::Queues,
        _ => sockets::key(port, key)?,
    };
    Ok((index, Some(key)))
}

fn fill_pieces(pieces: &[Piece], ports: &[OpenPort<'_>]) -> Result<OsString, TemplateError> {
    let mut bytes = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => bytes.extend(text),
            Piece::Value(index, key, separator) => {
                bytes.extend(value(&ports[*index], *key, *separator)?.into_bytes());
            }
        }
    }
    Ok(OsString::from_vec(bytes))
}

fn value(open: &OpenPort<'_>, key: Key, separator: char) -> Result<String, TemplateError> {
    Ok(match key {
        Key::Fds if open.port.vdpa.is_some() => {
            return Err(TemplateError::NoQueues { port: open.port.name.clone() });
        }
        Key::Fds | Key::Socket(_) => list(&open.fds, separator),
        Key::VhostFds => match &open.vhost_fds {
            Ok(fds) => list(fds, separator),
            Err(reason) => {
                let (port, reason) = (open.port.name.clone(), reason.clone());
                return Err(TemplateError::NoVhost { port, reason });
            }
        },
        Key::Mac => open.port.mac.to_string(),
        Key::Interface => open.port.interface.clone(),
        Key::Queues => open.port.queues.to_string(),
    })
}

#[cfg(test)]
mod tests;
