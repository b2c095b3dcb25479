//! The report as a bar chart. Bars that are far longer than the bridge's are cut, and say so.

use std::fmt::Write;

use super::frames::Row;
use super::report::Report;
use super::traffic::Traffic;
use super::way::Kind;

const LABELS: f64 = 250.0;
const BARS: f64 = 430.0;
const VALUES: f64 = 160.0;
const LINE: f64 = 22.0;
const MARGIN: f64 = 16.0;
/// Where a bar is cut, in units of the bridge's.
const LONGEST: f64 = 3.0;

/// One panel per traffic, one bar per way; a line marks the plain bridge.
pub fn svg(report: &Report) -> String {
    let mut body = String::new();
    let mut y = MARGIN;
    for traffic in Traffic::ALL {
        let rows: Vec<_> = report.frames.iter().filter(|row| row.traffic == traffic).collect();
        if !rows.is_empty() {
            y = panel(&mut body, traffic, &rows, y) + MARGIN;
        }
    }
    let width = LABELS + BARS + VALUES + 2.0 * MARGIN;
    let m = &report.machine;
    let foot = escape(&format!(
        "{}, {} CPUs, Linux {}; median of {} rounds",
        m.cpu, m.cpus, m.kernel, report.rounds
    ));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}\
         <text x=\"{MARGIN}\" y=\"{y}\" fill=\"#666\" font-size=\"11\">{foot}</text>\n</svg>\n",
        height = y + MARGIN
    )
}

/// Draws from `top` on; where it ends.
fn panel(body: &mut String, traffic: Traffic, rows: &[&Row], top: f64) -> f64 {
    let bridge = rows.iter().find(|row| row.way.kind == Kind::Bridge).map(|row| row.nanos.median);
    let largest = rows.iter().map(|row| row.nanos.median).fold(1.0, f64::max);
    let full = bridge.map_or(largest, |bridge| largest.min(bridge * LONGEST));
    // Writing to a string does not fail.
    let _ = writeln!(
        body,
        "<text x=\"{MARGIN}\" y=\"{}\" font-weight=\"bold\">{traffic}: ns per frame</text>",
        top + 12.0
    );
    let first = top + LINE;
    for (row, y) in rows.iter().zip((0..).map(|n| first + f64::from(n) * LINE)) {
        bar(body, row, full, bridge, y);
    }
    let end = first + rows.len() as f64 * LINE;
    if let Some(bridge) = bridge {
        let x = MARGIN + LABELS + BARS * bridge / full;
        let _ = writeln!(
            body,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{first}\" y2=\"{end}\" stroke=\"#333\" stroke-dasharray=\"3 3\"/>"
        );
    }
    end
}

fn bar(body: &mut String, row: &Row, full: f64, bridge: Option<f64>, y: f64) {
    let (label, nanos) = (escape(&row.way.to_string()), row.nanos.median);
    let cut = nanos > full;
    let (length, left) = (BARS * nanos.min(full) / full, MARGIN + LABELS);
    // Clear of the bridge's line.
    let value = left + length.max(bridge.map_or(0.0, |bridge| BARS * bridge / full)) + 6.0;
    let ratio = row.to_bare.map_or_else(String::new, |ratio| format!(" ({:.2} ×)", ratio.median));
    let more = if cut { " → cut" } else { "" };
    let colour = colour(row.way.kind);
    // Writing to a string does not fail.
    let _ = write!(
        body,
        "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>\n\
         <rect x=\"{left}\" y=\"{:.1}\" width=\"{length:.1}\" height=\"{}\" fill=\"{colour}\"/>\n\
         <text x=\"{:.1}\" y=\"{:.1}\">{nanos:.0}{ratio}{more}</text>\n",
        left - 8.0,
        y + 14.0,
        y + 2.0,
        LINE - 5.0,
        value,
        y + 14.0
    );
}

fn colour(kind: Kind) -> &'static str {
    match kind {
        Kind::Bridge => "#7f7f7f",
        Kind::BridgeNetfilter => "#9d9d9d",
        Kind::Redirect => "#bdbdbd",
        Kind::NftLinear => "#c44e52",
        Kind::NftVmap => "#dd8452",
        Kind::NftInterval => "#ccb974",
        Kind::Macvlan | Kind::Passthrough | Kind::Vepa => "#8c8c8c",
        Kind::Netctl | Kind::NetctlMacvlan | Kind::NetctlPassthrough | Kind::NetctlVepa => "#4c72b0",
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
