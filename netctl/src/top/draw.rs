//! The screen as lines, and lines on a terminal.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use super::lines::{Column, number, short, table, words};
use super::rates::{PortRates, RuleRates, Talker};
use super::screen::Screen;
use crate::output::printable;
use crate::told::FrameRow;

/// What the terminal can show.
#[derive(Clone, Copy, Debug)]
pub struct Looks {
    pub color: bool,
    /// UTF-8; else what is not ASCII is shown as `?`.
    pub utf8: bool,
}

/// A line, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub text: String,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Plain,
    Head,
    Selected,
    Denied,
    Pressed,
}

const HELP: [&str; 9] = [
    "q        quit",
    "s        sort ports: bits, packets, denied, name",
    "up down  select a port (k, j)",
    "enter    only that port's connections and denials; again: all",
    "p        pause; again: go on",
    "h        this help; again: back",
    "",
    "Rates are a second's. A port's include what was denied;",
    "a rule's are the frames that it decided itself.",
];

/// All of the screen in `height` lines of `width` characters.
pub fn lines(screen: &Screen, (width, height): (usize, usize)) -> Vec<Line> {
    let mut lines = vec![Line::new(title(screen), Kind::Head, width)];
    let keys = "q quit  s sort  p pause  enter port  h help";
    let room = height.saturating_sub(2);
    if screen.shows_help {
        lines.extend(HELP.iter().take(room).map(|line| Line::new((*line).to_owned(), Kind::Plain, width)));
    } else if screen.has_rates() {
        lines.extend(sections(screen, width, room));
    } else {
        lines.push(Line::new("waiting for a second look".to_owned(), Kind::Plain, width));
    }
    lines.truncate(height.saturating_sub(1).max(1));
    if height > 1 {
        lines.resize(height - 1, Line::new(String::new(), Kind::Plain, width));
        lines.push(Line::new(keys.to_owned(), Kind::Head, width));
    }
    lines
}

fn title(screen: &Screen) -> String {
    let rates = &screen.rates;
    let mut text = format!("netctl top  sort {}", screen.sort.name());
    if screen.is_paused {
        text += "  PAUSED";
    }
    if let Some(port) = &screen.focus {
        text += &format!("  only {port}");
    }
    text + &format!("  {} ports  generation {}  {:.1} s", rates.ports.len(), rates.generation, rates.seconds)
}

/// Ports first; what is left is shared by connections, rules and denials.
fn sections(screen: &Screen, width: usize, room: usize) -> Vec<Line> {
    let pressed: Vec<Line> = pressure(screen, width).into_iter().take(room / 4).collect();
    let room = room - pressed.len();
    let all =
        [ports(screen, width, room), talkers(screen, width), rules(screen, width), denials(screen, width)];
    let shares = shares(all.each_ref().map(Vec::len), room);
    let mut lines = Vec::new();
    for (section, share) in all.into_iter().zip(shares) {
        lines.extend(section.into_iter().take(share));
    }
    lines.extend(pressed);
    lines
}

/// How many lines each of the sections gets: at least a head and a line where there is room, and then what they ask for in turn.
fn shares(asked: [usize; 4], room: usize) -> [usize; 4] {
    let mut shares = [0; 4];
    let mut left = room;
    while let Some(next) = (0..4).filter(|at| shares[*at] < asked[*at]).min_by_key(|at| shares[*at]) {
        // A head alone says nothing.
        let step = if shares[next] == 0 { 2.min(asked[next]) } else { 1 };
        if step > left {
            break;
        }
        shares[next] += step;
        left -= step;
    }
    shares
}

fn ports(screen: &Screen, width: usize, room: usize) -> Vec<Line> {
    let columns = [
        words(" PORT", 0),
        number("FROM b/s", 1),
        number("TO b/s", 1),
        number("DENIED/s", 0),
        number("FROM p/s", 2),
        number("TO p/s", 2),
        number("FLOWS", 3),
    ];
    let ports = screen.ports();
    // The selected one is always to be seen.
    let first = screen.selected.saturating_sub(room.saturating_sub(8).max(1) / 2);
    let first = if ports.len() + 8 <= room { 0 } else { first };
    let shown = ports.iter().enumerate().skip(first);
    let rows: Vec<Vec<String>> =
        shown.clone().map(|(at, port)| port_cells(port, at == screen.selected)).collect();
    let mut lines = titled(&columns, &rows, width);
    for (line, (at, port)) in lines.iter_mut().skip(1).zip(shown) {
        line.kind = match at == screen.selected {
            true => Kind::Selected,
            false if port.denied > 0.0 => Kind::Denied,
            false => Kind::Plain,
        };
    }
    lines
}

fn port_cells(port: &PortRates, is_selected: bool) -> Vec<String> {
    let mark = if is_selected { '>' } else { ' ' };
    vec![
        format!("{mark}{}", port.port),
        short(port.from_guest.bits),
        short(port.to_guest.bits),
        short(port.denied),
        short(port.from_guest.packets),
        short(port.to_guest.packets),
        port.entries.to_string(),
    ]
}

fn talkers(screen: &Screen, width: usize) -> Vec<Line> {
    let columns = [
        words(" CONNECTION", 0),
        words("TO", 0),
        words("SERVICE", 0),
        number("b/s", 0),
        number("p/s", 1),
        words("AT", 2),
    ];
    let cells = |talker: &Talker| {
        vec![
            format!(" {}", talker.source),
            talker.destination.clone(),
            talker.service.clone(),
            short(talker.rate.bits),
            short(talker.rate.packets),
            talker.ports.join(","),
        ]
    };
    // Where it is narrow, rates come first: an IPv6 address fills a line.
    if width < 60 {
        let columns = [number(" b/s", 0), words("CONNECTION", 0)];
        let cells = |talker: &Talker| {
            let Talker { source, destination, service, rate, .. } = talker;
            vec![format!(" {}", short(rate.bits)), format!("{source} > {destination} {service}")]
        };
        return titled(&columns, &screen.talkers().map(cells).collect::<Vec<_>>(), width);
    }
    titled(&columns, &screen.talkers().map(cells).collect::<Vec<_>>(), width)
}

fn rules(screen: &Screen, width: usize) -> Vec<Line> {
    let columns = [number(" p/s", 0), words("RULE", 0), words("LINE", 1), words("DOES", 0), words("TEXT", 0)];
    let cells = |rule: &RuleRates| {
        vec![
            format!(" {}", short(rule.rate.packets)),
            rule.rule.number.to_string(),
            rule.rule.line.to_string(),
            rule.action.to_owned(),
            rule.rule.text.clone(),
        ]
    };
    titled(&columns, &screen.rates.rules.iter().map(cells).collect::<Vec<_>>(), width)
}

fn denials(screen: &Screen, width: usize) -> Vec<Line> {
    let columns = [
        words(" LAST DENIED", 2),
        words("PORT", 1),
        words("FROM", 0),
        words("TO", 0),
        words("SERVICE", 0),
        words("WHY", 0),
    ];
    let end = |address: Option<std::net::IpAddr>, mac: &String| {
        address.map_or_else(|| mac.clone(), |address| address.to_string())
    };
    let cells = |row: &FrameRow| {
        let rule =
            row.rule.as_ref().map_or_else(String::new, |rule| format!(" {} line {}", rule.number, rule.line));
        vec![
            format!(" {}", row.when.local_time()),
            row.port.clone(),
            end(row.source, &row.source_mac),
            end(row.destination, &row.destination_mac),
            row.service.clone(),
            format!("{}{rule}", row.reason),
        ]
    };
    let mut lines = titled(&columns, &screen.denials().map(cells).collect::<Vec<_>>(), width);
    lines.iter_mut().skip(1).for_each(|line| line.kind = Kind::Denied);
    lines
}

fn pressure(screen: &Screen, width: usize) -> Vec<Line> {
    let pressed = screen.rates.ports.iter().filter(|port| port.is_pressed());
    let line = |port: &PortRates| {
        let PortRates { port, entries, size, evicted, untold, .. } = port;
        let (evicted, untold) = (short(*evicted), short(*untold));
        format!("{port}: flows {entries} of {size}, {evicted}/s give way, {untold}/s denials not told")
    };
    pressed.map(|port| Line::new(line(port), Kind::Pressed, width)).collect()
}

/// A table; without rows, nothing.
fn titled(columns: &[Column], rows: &[Vec<String>], width: usize) -> Vec<Line> {
    if rows.is_empty() {
        return Vec::new();
    }
    let kinds = std::iter::once(Kind::Head).chain(std::iter::repeat(Kind::Plain));
    table(columns, rows, width)
        .into_iter()
        .zip(kinds)
        .map(|(text, kind)| Line::new(text, kind, width))
        .collect()
}

impl Line {
    fn new(text: String, kind: Kind, width: usize) -> Self {
        Self { text: printable(&text).chars().take(width).collect(), kind }
    }
}

impl Kind {
    fn style(self, looks: Looks) -> Style {
        let color = |color| if looks.color { Style::new().fg(color) } else { Style::new() };
        match self {
            Self::Plain => Style::new(),
            Self::Head => Style::new().add_modifier(Modifier::BOLD),
            Self::Selected => Style::new().add_modifier(Modifier::REVERSED),
            Self::Denied => color(Color::Red),
            Self::Pressed => color(Color::Yellow),
        }
    }
}

/// What it shows, in a terminal's words.
pub fn text(line: &str, looks: Looks) -> String {
    line.chars().map(|c| if looks.utf8 || c.is_ascii() { c } else { '?' }).collect()
}

/// Fills a terminal.
pub fn draw(screen: &Screen, looks: Looks, buffer: &mut Buffer) {
    let Rect { width, height, .. } = buffer.area;
    for (line, y) in lines(screen, (width.into(), height.into())).iter().zip(0..height) {
        let style = line.kind.style(looks);
        buffer.set_stringn(0, y, text(&line.text, looks), width.into(), style);
        if line.kind == Kind::Selected {
            buffer.set_style(Rect { x: 0, y, width, height: 1 }, style);
        }
    }
}

#[cfg(test)]
#[path = "draw_tests.rs"]
mod tests;
