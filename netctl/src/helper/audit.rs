//! One line for each grant and each refusal, to the system's log: facility authpriv, so that it lands where logins do.

use std::fmt::Write;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use super::caller::Caller;

/// Where syslogd and journald listen.
const LOG: &str = "/dev/log";
/// syslog(3): LOG_AUTHPRIV | LOG_INFO.
const PRIORITY: u8 = 10 << 3 | 6;
/// A log that is full for so long is not there.
const PATIENCE: Duration = Duration::from_secs(2);
/// Characters of one value.
const MAX_VALUE: usize = 256;

/// What a line is about, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Subject {
    /// The caller's word.
    pub asked: String,
    pub network: Option<String>,
    pub port: Option<String>,
}

/// The log.
#[derive(Debug)]
pub(super) struct Audit(io::Result<UnixDatagram>);

impl Audit {
    /// Connects before anything else is opened: a caller that leaves no room for descriptors is not to save the line.
    pub(super) fn open() -> Self {
        Self(UnixDatagram::unbound().and_then(|socket| {
            socket.set_write_timeout(Some(PATIENCE))?;
            socket.connect(LOG)?;
            Ok(socket)
        }))
    }

    /// `decision`: what was decided, and why.
    ///
    /// # Errors
    /// If there is a log that does not take it. A host without one is none.
    pub(super) fn write(&self, caller: &Caller, subject: &Subject, decision: &str) -> io::Result<()> {
        match &self.0 {
            Ok(socket) => socket.send(line(caller, subject, decision).as_bytes()).map(drop),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        }
    }
}

/// Without a time, which the log has itself.
fn line(caller: &Caller, subject: &Subject, decision: &str) -> String {
    let Caller { uid, pid, parent_pid, .. } = caller;
    let mut line = format!("<{PRIORITY}>netctl-bridge-helper[{pid}]: {}", clean(decision));
    let port = subject.port.as_deref().unwrap_or("-");
    let network = subject.network.as_deref().unwrap_or("-");
    let facts = [
        ("user", caller.user.as_str()),
        ("parent", caller.parent.as_str()),
        ("asked", subject.asked.as_str()),
        ("network", network),
        ("port", port),
    ];
    for (name, value) in facts {
        // Nothing fails that writes to a string.
        let _ = write!(line, " {name}=\"{}\"", clean(value));
    }
    let _ = write!(line, " uid={uid} parent-pid={parent_pid}");
    line
}

/// On one line, and no longer than it has to be; a quote in a value does not end it.
fn clean(text: &str) -> String {
    let plain = |c: char| (c == ' ' || c.is_ascii_graphic()) && !matches!(c, '"' | '\\');
    let escaped = |c: char| if plain(c) { c.to_string() } else { c.escape_unicode().to_string() };
    text.chars().take(MAX_VALUE).map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_the_caller_says_leaves_its_place_in_the_line() {
        let caller = Caller {
            uid: 1000,
            user: "alice".into(),
            parent: "/tmp/a\" uid=0\n<86>x".into(),
            ..Caller::default()
        };
        let subject = Subject { asked: "l\u{1b}[2Jab\r\n".into(), ..Subject::default() };
        let line = line(&caller, &subject, "refused: no");
        assert!(line.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{line:?}");
        assert_eq!(line.matches('"').count(), 10, "{line}");
        assert!(line.starts_with("<86>netctl-bridge-helper[0]: refused: no user=\"alice\" "), "{line}");
        assert!(line.ends_with(" uid=1000 parent-pid=0"), "{line}");
    }
}
