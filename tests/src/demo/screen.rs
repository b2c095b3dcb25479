//! Standard output: numbered steps, indented lines, and alarms. Bold and red only on a terminal that wants them.

use std::io::{IsTerminal, stdout};
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Debug, Default)]
pub struct Screen {
    colour: bool,
    steps: AtomicU32,
}

impl Screen {
    /// Colours as <https://no-color.org> wants them.
    pub fn new() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colour: stdout().is_terminal() && !unwanted, steps: AtomicU32::new(0) }
    }

    pub fn title(&self, text: &str) {
        self.print("1", text);
    }

    /// Begins the next part.
    pub fn step(&self, text: &str) {
        let number = self.steps.fetch_add(1, Ordering::Relaxed) + 1;
        println!();
        self.print("1", &format!("{number}. {text}"));
    }

    pub fn line(&self, text: &str) {
        println!("   {text}");
    }

    /// Something is not as it should be.
    pub fn alarm(&self, text: &str) {
        self.print("31", &format!(" ! {text}"));
    }

    pub fn gap(&self) {
        println!();
    }

    fn print(&self, style: &str, text: &str) {
        if self.colour {
            println!("\x1b[{style}m{text}\x1b[0m");
        } else {
            println!("{text}");
        }
    }
}
