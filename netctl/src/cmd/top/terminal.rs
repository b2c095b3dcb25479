//! The terminal while it shows a screen of ours: given back as it was, however that ends.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::panic;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use crate::top::Screen;
use crate::top::draw::{Looks, draw};

/// Whether keys can be read and the cursor can be moved.
pub(super) fn is_capable() -> bool {
    let kind = std::env::var("TERM").unwrap_or_default();
    io::stdin().is_terminal() && io::stdout().is_terminal() && !matches!(kind.as_str(), "" | "dumb")
}

pub(super) struct Screened {
    terminal: Terminal<CrosstermBackend<File>>,
}

impl Screened {
    pub(super) fn begin() -> io::Result<Self> {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            give_back();
            hook(info);
        }));
        let mut out = standard_output()?;
        enable_raw_mode()?;
        let begun = execute!(out, EnterAlternateScreen);
        let terminal = begun.and_then(|()| Terminal::new(CrosstermBackend::new(out)));
        match terminal {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    pub(super) fn draw(&mut self, screen: &Screen, looks: Looks) -> io::Result<()> {
        self.terminal.draw(|frame| draw(screen, looks, frame.buffer_mut())).map(drop)
    }
}

impl Drop for Screened {
    fn drop(&mut self) {
        give_back();
    }
}

/// Not through the lock of standard output, which another thread may hold while this one panics.
fn standard_output() -> io::Result<File> {
    io::stdout().as_fd().try_clone_to_owned().map(File::from)
}

/// Nothing is left to tell where the terminal is gone.
fn give_back() {
    let _ = disable_raw_mode();
    if let Ok(mut out) = standard_output() {
        let _ = execute!(out, LeaveAlternateScreen, Show);
    }
}
