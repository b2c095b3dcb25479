//! Keys to steps.

use std::io;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::top::Step;

/// The next thing that was typed, or that happened to the terminal; `Some(None)` means nothing but another look.
pub(super) fn next() -> io::Result<Option<Option<Step>>> {
    if !event::poll(Duration::ZERO)? {
        return Ok(None);
    }
    Ok(Some(match event::read()? {
        Event::Key(key) if key.kind != KeyEventKind::Release => step(key),
        _ => None,
    }))
}

const fn step(key: KeyEvent) -> Option<Step> {
    Some(match key.code {
        KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => Step::Quit,
        KeyCode::Char('q') => Step::Quit,
        KeyCode::Char('s') => Step::Sort,
        KeyCode::Char('p' | ' ') => Step::Pause,
        KeyCode::Char('h' | '?') => Step::Help,
        KeyCode::Char('k') | KeyCode::Up => Step::Up,
        KeyCode::Char('j') | KeyCode::Down => Step::Down,
        KeyCode::Enter => Step::Focus,
        KeyCode::Esc => Step::Back,
        _ => return None,
    })
}
