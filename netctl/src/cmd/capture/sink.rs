//! Where captured frames go: a pcapng file, a pipe, or lines of text.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::capture::file::{Bounds, End};
use crate::capture::{CaptureFile, CaptureRow};
use crate::cli::CaptureArgs;
use crate::error::Error;
use crate::kernel::capture::Frame;
use crate::state::State;

pub(super) enum Sink<'a, W> {
    Pcapng(Pcapng),
    Lines { out: &'a mut W, json: bool },
}

pub(super) struct Pcapng {
    file: CaptureFile<File>,
    /// The same, to look at.
    to: File,
    path: PathBuf,
    /// Somebody reads at the other end.
    is_pipe: bool,
}

impl<'a, W: Write> Sink<'a, W> {
    /// # Errors
    /// The file cannot be written, or is a terminal.
    pub(super) fn open(args: &CaptureArgs, state: &State, out: &'a mut W) -> Result<Self, Error> {
        let Some(path) = &args.write else { return Ok(Self::Lines { out, json: args.json }) };
        let bounds = Bounds { size: args.size, snap: args.snap };
        let mut pcapng = Pcapng::open(path, bounds)?;
        for port in state.ports_named(args.place.port.as_deref())? {
            pcapng.interface(&port.name(), state)?;
        }
        pcapng.flush()?;
        Ok(Self::Pcapng(pcapng))
    }

    /// `number` and `time`: of the frame in the capture, and in nanoseconds since 1970. `false`: there is no room for it.
    pub(super) fn take(
        &mut self,
        frame: &Frame,
        (number, time): (u64, u64),
        state: &State,
    ) -> Result<bool, Error> {
        let row = CaptureRow::new(frame, number, state);
        match self {
            Self::Pcapng(pcapng) => {
                let interface = pcapng.interface(&state.names.port(frame.facts.port), state)?;
                let written = pcapng.file.frame(interface, frame, time, &row);
                written.map_err(|e| pcapng.fail(e))
            }
            Self::Lines { out, json } => write_line(*out, &row, *json).map(|()| true).map_err(Error::Output),
        }
    }

    /// # Errors
    /// It cannot be written, or nobody reads it any more.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        match self {
            Self::Pcapng(pcapng) => pcapng.flush(),
            Self::Lines { out, .. } => out.flush().map_err(Error::Output),
        }
    }

    /// [`Self::flush`], where it is not a file.
    pub(super) fn flush_to_who_waits(&mut self) -> Result<(), Error> {
        match self {
            Self::Pcapng(pcapng) if !pcapng.is_pipe => Ok(()),
            _ => self.flush(),
        }
    }

    /// Bytes of the file.
    pub(super) fn end(self, end: &End) -> Result<Option<u64>, Error> {
        match self {
            Self::Pcapng(Pcapng { file, path, .. }) => {
                file.end(end).map(Some).map_err(|source| failed(&path, source))
            }
            Self::Lines { out, .. } => out.flush().map(|()| None).map_err(Error::Output),
        }
    }
}

impl Pcapng {
    fn open(path: &Path, bounds: Bounds) -> Result<Self, Error> {
        let fail = |source| failed(path, source);
        let to = if path.as_os_str() == "-" { standard_output()? } else { create(path).map_err(fail)? };
        let kind = to.metadata().map_err(fail)?.file_type();
        let same = to.try_clone().map_err(fail)?;
        Ok(Self {
            file: CaptureFile::begin(to, bounds).map_err(fail)?,
            to: same,
            path: path.to_owned(),
            is_pipe: kind.is_fifo() || kind.is_socket(),
        })
    }

    fn interface(&mut self, name: &str, state: &State) -> Result<u32, Error> {
        let describe = || match state.config.ports.get(name) {
            Some(port) => format!("{} in network {}", port.interface, port.network),
            None => "no port of the running document".to_owned(),
        };
        self.file.interface(name, describe).map_err(|source| failed(&self.path, source))
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.is_pipe && nobody_reads(&self.to) {
            return Err(Error::Output(io::ErrorKind::BrokenPipe.into()));
        }
        self.file.flush().map_err(|source| failed(&self.path, source))
    }

    fn fail(&self, source: io::Error) -> Error {
        failed(&self.path, source)
    }
}

/// Unbuffered: text is written to the other one.
fn standard_output() -> Result<File, Error> {
    let out = io::stdout();
    if out.is_terminal() {
        let hint = "write it to a file with `-w FILE`, or into a pipe, as in `netctl capture web1 -w - | tshark -r -`";
        return Err(Error::Question(format!(
            "standard output is a terminal, and pcapng is not text; {hint}"
        )));
    }
    out.as_fd().try_clone_to_owned().map(File::from).map_err(Error::Output)
}

/// What guests say is nobody else's business.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn nobody_reads(pipe: &File) -> bool {
    let mut waits = [PollFd::new(pipe.as_fd(), PollFlags::empty())];
    let closed = PollFlags::POLLERR | PollFlags::POLLHUP;
    poll(&mut waits, PollTimeout::ZERO).is_ok()
        && waits[0].revents().is_some_and(|events| events.intersects(closed))
}

fn failed(path: &Path, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::BrokenPipe => Error::Output(source),
        _ => Error::Write { path: path.to_owned(), source },
    }
}

fn write_line(out: &mut impl Write, row: &CaptureRow, json: bool) -> io::Result<()> {
    if json {
        serde_json::to_writer(&mut *out, row)?;
        writeln!(out)
    } else {
        writeln!(out, "{}", row.line())
    }
}
