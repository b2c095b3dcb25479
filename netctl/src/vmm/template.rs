//! The VMM's arguments with placeholders for ports: `{web1}`, `{web1.fds}`, …. Pure.
//!
//! Only `{NAME}` and `{NAME.KEY}` of letters, digits and `-._` are placeholders; JSON and shell braces are
//! left alone, and `{{web1}` stands for the text `{web1}`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::{OpenPort, RunPort, qemu};

/// A command line whose placeholders are known to be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    arguments: Vec<Argument>,
    ids: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Argument {
    /// `{web1}` alone: several arguments in its place.
    Port(usize),
    Pieces(Vec<Piece>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Value(usize, Key),
}

/// What `{NAME.KEY}` is replaced by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Fds,
    VhostFds,
    Mac,
    Interface,
    Queues,
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
    #[error("`{{{port}.{key}}}` is not known; there are fds, vhostfds, mac, ifname and queues")]
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
}

impl Template {
    /// `command` is the program and its arguments.
    ///
    /// # Errors
    /// A placeholder that cannot be filled in, or a port without one.
    pub fn parse(command: &[OsString], ports: &[RunPort]) -> Result<Self, TemplateError> {
        if command.is_empty() {
            return Err(TemplateError::NoCommand);
        }
        let names: Vec<&str> = ports.iter().map(|p| p.name.as_str()).collect();
        let arguments: Vec<_> =
            command.iter().map(|argument| Argument::parse(argument, &names)).collect::<Result<_, _>>()?;
        for (index, name) in names.iter().enumerate() {
            let port = || (*name).to_owned();
            if names[..index].contains(name) {
                return Err(TemplateError::PortTwice { port: port() });
            }
            if !arguments.iter().any(|argument| argument.names(index)) {
                return Err(TemplateError::Unused { port: port() });
            }
            if arguments.iter().filter(|argument| **argument == Argument::Port(index)).count() > 1 {
                return Err(TemplateError::PlaceholderTwice { port: port() });
            }
        }
        Ok(Self { arguments, ids: qemu::ids(names) })
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
                    filled.extend(
                        qemu::arguments(&ports[*index], &self.ids[*index]).into_iter().map(Into::into),
                    );
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
            } else if let Some(name) = placeholder(rest) {
                match resolve(name, names)? {
                    (index, None) if name.len() + 2 == bytes.len() => return Ok(Self::Port(index)),
                    (index, None) => {
                        let argument = argument.to_string_lossy().into_owned();
                        return Err(TemplateError::NotAlone { port: names[index].to_owned(), argument });
                    }
                    (index, Some(key)) => pieces.push(Piece::Value(index, key)),
                }
                at += name.len() + 2;
            } else {
                pieces.push(Piece::Text(vec![rest[0]]));
                at += 1;
            }
        }
        Ok(Self::Pieces(pieces))
    }

    fn names(&self, port: usize) -> bool {
        match self {
            Self::Port(index) => *index == port,
            Self::Pieces(pieces) => {
                pieces.iter().any(|p| matches!(p, Piece::Value(index, _) if *index == port))
            }
        }
    }
}

/// The name, if `text` begins with a placeholder.
fn placeholder(text: &[u8]) -> Option<&str> {
    let inner = text.strip_prefix(b"{")?;
    let end = inner.iter().position(|c| *c == b'}')?;
    let name = std::str::from_utf8(&inner[..end]).ok()?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    (!name.is_empty() && name.chars().all(allowed)).then_some(name)
}

/// A port whose name holds a dot wins over a key.
fn resolve(name: &str, names: &[&str]) -> Result<(usize, Option<Key>), TemplateError> {
    let index = |name: &str| names.iter().position(|n| *n == name);
    if let Some(index) = index(name) {
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
        _ => return Err(TemplateError::UnknownKey { port: port.to_owned(), key: key.to_owned() }),
    };
    Ok((index, Some(key)))
}

fn fill_pieces(pieces: &[Piece], ports: &[OpenPort<'_>]) -> Result<OsString, TemplateError> {
    let mut bytes = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => bytes.extend(text),
            Piece::Value(index, key) => bytes.extend(value(&ports[*index], *key)?.into_bytes()),
        }
    }
    Ok(OsString::from_vec(bytes))
}

fn value(open: &OpenPort<'_>, key: Key) -> Result<String, TemplateError> {
    Ok(match key {
        Key::Fds if open.port.vdpa.is_some() => {
            return Err(TemplateError::NoQueues { port: open.port.name.clone() });
        }
        Key::Fds => qemu::list(&open.fds),
        Key::VhostFds => match &open.vhost_fds {
            Ok(fds) => qemu::list(fds),
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
mod tests {
    use super::*;
    use crate::config::{Mac, PortKind, TapOptions, Vhost};

    fn port(name: &str) -> RunPort {
        RunPort {
            name: name.into(),
            interface: format!("if,{name}"),
            mac: Mac([2, 0, 0, 0, 0, 1]),
            kind: PortKind::Tap,
            queues: 2,
            vhost: Vhost::Off,
            tap: TapOptions::default(),
            vdpa: None,
            mtu: None,
        }
    }

    fn fill(ports: &[&str], command: &[&str]) -> Result<Vec<String>, TemplateError> {
        let ports: Vec<_> = ports.iter().map(|name| port(name)).collect();
        let command: Vec<OsString> = command.iter().map(Into::into).collect();
        let template = Template::parse(&command, &ports)?;
        let open = |(index, port)| OpenPort {
            port,
            fds: vec![10 * index + 3, 10 * index + 4],
            vhost_fds: Err("the port says `vhost = \"off\"`".into()),
        };
        let open: Vec<_> = (0..).zip(&ports).map(open).collect();
        Ok(template.fill(&open)?.into_iter().map(|a| a.into_string().unwrap()).collect())
    }

    #[test]
    fn a_placeholder_alone_becomes_several_arguments() {
        let filled = fill(&["web1"], &["vmm", "-m", "1G", "{web1}", "-S"]).unwrap();
        assert_eq!(filled.len(), 8);
        assert_eq!(filled[..4], ["vmm", "-m", "1G", "-netdev"]);
        assert_eq!(filled[7], "-S");
    }

    #[test]
    fn each_port_gets_its_own_descriptors() {
        let filled = fill(&["a", "b"], &["vmm", "--net=fd={b.fds}", "x={a.fds},q={a.queues}"]).unwrap();
        assert_eq!(filled, ["vmm", "--net=fd=13:14", "x=3:4,q=2"]);
    }

    #[test]
    fn facts_are_replaced_inside_an_argument() {
        let filled = fill(&["a"], &["{a.mac}", "{a.ifname}{a.fds}"]).unwrap();
        assert_eq!(filled, ["02:00:00:00:00:01", "if,a3:4"]);
    }

    #[test]
    fn braces_that_are_no_placeholders_stay() {
        let json = r#"{"driver":"virtio","opts":{"a":1}}"#;
        let filled = fill(&["a"], &["{a.fds}", json, "{}", "{ a }", "${a", "{{a.fds}", "{{x}"]).unwrap();
        assert_eq!(filled, ["3:4", json, "{}", "{ a }", "${a", "{a.fds}", "{x}"]);
    }

    #[test]
    fn a_name_with_a_dot_is_a_port_before_it_is_a_key() {
        let filled = fill(&["a.mac", "a"], &["{a.fds}", "{a.mac.mac}", "{a.mac}"]).unwrap();
        assert_eq!(filled[..2], ["13:14", "02:00:00:00:00:01"]);
        assert_eq!(filled[2], "-netdev");
    }

    #[test]
    fn arguments_that_are_not_utf8_pass() {
        let raw = OsString::from_vec(vec![b'x', 0xff, b'{']);
        let template = Template::parse(std::slice::from_ref(&raw), &[]).unwrap();
        assert_eq!(template.fill(&[]).unwrap(), [raw]);
    }

    #[test]
    fn what_cannot_be_filled_in_says_what_to_do() {
        let error = |ports: &[&str], command: &[&str]| fill(ports, command).unwrap_err().to_string();
        assert_eq!(error(&[], &[]), TemplateError::NoCommand.to_string());
        assert!(error(&["a"], &["vmm"]).contains("put `{a}` where"));
        assert!(error(&["a"], &["{a}", "{b}"]).contains("`{b}` names no port of this command"));
        assert!(error(&["a"], &["{a}", "{b.fds}"]).contains("`{b.fds}` names no port"));
        assert!(
            error(&["a"], &["{a}", "{a.ip}"]).contains("there are fds, vhostfds, mac, ifname and queues")
        );
        assert!(error(&["a"], &["x={a}"]).contains("an argument of its own in `x={a}`"));
        assert!(error(&["a"], &["{a}", "{a}"]).contains("twice"));
        assert!(error(&["a", "a"], &["{a}"]).contains("twice"));
        assert!(error(&["a"], &["{a.vhostfds}"]).contains("vhost = \"off\""));
    }
}
