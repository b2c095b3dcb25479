use netctl_common::abi::Counter;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::names::RuleName;
use crate::top::sample::{PortSample, RuleSample, Sample};
use crate::top::screen::{Sort, Step};

fn sample(seconds: u64, ports: &[(&str, u64, u64)]) -> Sample {
    let mut sample = Sample { time: seconds * 1_000_000_000, generation: 7, ..Sample::default() };
    for (name, bytes, denied) in ports {
        let came = [Counter { packets: bytes / 100, bytes: *bytes }, Counter::default()];
        let port = PortSample { came, denied: *denied, entries: 12, size: 12_288, ..PortSample::default() };
        sample.ports.insert((*name).to_owned(), port);
    }
    let text = "{ allow = \"tcp/80\", name = \"w\u{00e9}b\" }".to_owned();
    let rule = RuleName { number: 1, line: 20, name: None, text };
    let counter = Counter { packets: seconds * 5, bytes: 0 };
    sample.rules.push(RuleSample { rule, action: "allow", counter });
    sample
}

fn screen() -> Screen {
    let mut screen = Screen::default();
    screen.take(sample(1, &[("db1", 0, 0), ("web1", 0, 0)]));
    screen.take(sample(2, &[("db1", 150_000, 0), ("web1", 1000, 40)]));
    screen
}

fn shown(screen: &Screen, (width, height): (u16, u16), looks: Looks) -> (Vec<String>, Buffer) {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(screen, looks, frame.buffer_mut())).unwrap();
    let buffer = terminal.backend().buffer().clone();
    let row = |y: u16| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    ((0..height).map(row).collect(), buffer)
}

const PLAIN: Looks = Looks { color: false, utf8: false };

#[test]
fn a_wide_screen_has_everything() {
    let (lines, _) = shown(&screen(), (80, 10), Looks { color: true, utf8: true });
    let expected = [
        "netctl top  sort bits  2 ports  generation 7  1.0 s",
        " PORT  FROM b/s  TO b/s  DENIED/s  FROM p/s  TO p/s  FLOWS",
        ">db1       1.2M       0         0      1.5K       0     12",
        " web1        8K       0        40        10       0     12",
        " p/s  RULE  LINE  DOES   TEXT",
        "   5  1     20    allow  { allow = \"tcp/80\", name = \"w\u{00e9}b\" }",
        "",
        "",
        "",
        "q quit  s sort  p pause  enter port  h help",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_narrow_screen_without_utf8_and_colour_has_the_most_important() {
    let (lines, buffer) = shown(&screen(), (40, 7), PLAIN);
    let expected = [
        "netctl top  sort bits  2 ports  generati",
        " PORT  FROM b/s  TO b/s  DENIED/s",
        ">db1       1.2M       0         0",
        " web1        8K       0        40",
        " p/s  RULE  DOES   TEXT",
        "   5  1     allow  { allow = \"tcp/80\", n",
        "q quit  s sort  p pause  enter port  h h",
    ];
    assert_eq!(lines, expected);
    let colors: Vec<_> = buffer.content().iter().filter(|cell| cell.fg != Color::Reset).collect();
    assert!(colors.is_empty(), "{colors:?}");
    let (wide, _) = shown(&screen(), (80, 7), PLAIN);
    assert!(wide[5].ends_with("name = \"w?b\" }"), "{wide:#?}");
}

#[test]
fn denials_are_red_where_there_is_colour() {
    let (_, buffer) = shown(&screen(), (60, 8), Looks { color: true, utf8: true });
    assert_eq!((buffer[(1, 3)].fg, buffer[(1, 2)].fg), (Color::Red, Color::Reset));
    assert!(buffer[(1, 2)].modifier.contains(Modifier::REVERSED), "the selected one");
}

#[test]
fn any_size_can_be_drawn() {
    let mut screen = screen();
    for _ in 0..2 {
        for width in [1, 2, 7, 20, 39, 200] {
            for height in [1, 2, 3, 4, 60] {
                shown(&screen, (width, height), PLAIN);
            }
        }
        screen.step(Step::Help);
    }
    assert!(lines(&Screen::default(), (40, 5))[1].text.starts_with("waiting"));
}

#[test]
fn names_move_no_cursor() {
    let mut screen = Screen::default();
    for second in 1..3 {
        screen.take(sample(second, &[("a\u{1b}[2J", 100 * second, 0)]));
    }
    assert!(lines(&screen, (80, 9)).iter().all(|line| !line.text.contains('\u{1b}')));
}

#[test]
fn keys_sort_select_and_pause() {
    let mut screen = screen();
    let first = |screen: &Screen| screen.ports()[0].port.clone();
    assert_eq!(first(&screen), "db1");
    while screen.sort != Sort::Denied {
        assert!(screen.step(Step::Sort));
    }
    assert_eq!(first(&screen), "web1");
    screen.step(Step::Down);
    screen.step(Step::Down);
    screen.step(Step::Focus);
    assert_eq!((screen.selected, screen.focus.as_deref()), (1, Some("db1")));
    assert!(lines(&screen, (80, 9))[0].text.contains("only db1"));
    screen.step(Step::Pause);
    screen.take(sample(3, &[("db1", 0, 0)]));
    assert_eq!(screen.rates.ports.len(), 2, "what is shown stays");
    screen.step(Step::Pause);
    screen.take(sample(4, &[("web1", 1000, 40)]));
    assert_eq!((screen.selected, &screen.focus), (0, &None), "the port that it was about is gone");
    assert!(!screen.step(Step::Quit));
}

#[test]
fn many_ports_leave_room_and_the_selected_one_is_seen() {
    let names: Vec<String> = (0..100).map(|number| format!("port{number:02}")).collect();
    let ports: Vec<_> = names.iter().map(|name| (name.as_str(), 0, 0)).collect();
    let mut screen = Screen::default();
    screen.take(sample(1, &ports));
    screen.take(sample(2, &ports));
    for _ in 0..70 {
        screen.step(Step::Down);
    }
    let lines = lines(&screen, (80, 24));
    assert!(
        lines.iter().any(|line| line.kind == Kind::Selected && line.text.starts_with(">port70")),
        "{lines:#?}"
    );
    assert!(lines.iter().any(|line| line.text.contains("RULE")), "{lines:#?}");
}

#[test]
fn room_is_shared() {
    assert_eq!(shares([3, 2, 2, 2], 20), [3, 2, 2, 2]);
    assert_eq!(shares([9, 9, 9, 9], 3), [2, 0, 0, 0]);
    assert_eq!(shares([90, 9, 0, 90], 12), [4, 4, 0, 4]);
}
