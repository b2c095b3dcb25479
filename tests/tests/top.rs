//! `netctl top` on a real terminal, tmux's, with traffic at real taps. As root; needs tmux.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use netctl_tests::cli;
use netctl_tests::frame::{Build, Carrier, eth, mac};
use netctl_tests::lab::Lab;
use netctl_tests::sandbox::Sandbox;
use netctl_tests::tap::Tap;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const SOON: Duration = Duration::from_secs(30);

const DOCUMENT: &str = r#"[networks.lab]
kind = "bridge"
[ports.web1]
network = "lab"
mac = "52:54:00:00:00:0b"
addresses = ["10.0.0.11"]
[ports.db1]
network = "lab"
mac = "52:54:00:00:00:15"
addresses = ["10.0.0.21"]
[policy]
rules = [
  { allow = "udp/53", from = "web1", to = "db1" },
  { deny = "udp/99", from = "web1", to = "db1", name = "never" },
]
"#;

/// A shell on a terminal inside of a sandbox.
struct Terminal<'s> {
    sandbox: &'s Sandbox,
}

impl<'s> Terminal<'s> {
    fn open(sandbox: &'s Sandbox, variables: &str) -> Self {
        let terminal = Self { sandbox };
        let netctl = cli::binary().unwrap();
        let shell = format!(
            "cd {}; export PS1='ready> ' {variables}; exec bash --norc --noprofile",
            netctl.parent().unwrap().display()
        );
        terminal.tmux(&["-u", "-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", &shell]);
        terminal.wait(|screen| screen.contains("ready>"));
        terminal
    }

    fn tmux(&self, words: &[&str]) -> String {
        let mut tmux = Command::new("tmux");
        tmux.env_remove("TMUX").env("TERM", "xterm-256color").args(["-S", "/run/tmux"]).args(words);
        self.sandbox.finish(tmux).unwrap().expect_code(0).stdout
    }

    fn send(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    fn has_red(&self) -> bool {
        let escapes = self.tmux(&["capture-pane", "-p", "-e"]);
        ["[31m", "[38;5;1m"].iter().any(|red| escapes.contains(red))
    }

    /// The screen once it is as wanted.
    #[track_caller]
    fn wait(&self, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + SOON;
        loop {
            let screen = self.screen();
            if wanted(&screen) {
                return screen;
            }
            assert!(Instant::now() < deadline, "not what is wanted:\n{screen}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The shell is back, on the screen that it had, and what is typed is seen.
    #[track_caller]
    fn is_as_before(&self) {
        self.wait(|screen| screen.trim_end().ends_with("ready>") && !screen.contains("FROM b/s"));
        assert_eq!(self.tmux(&["display-message", "-p", "#{alternate_on}#{cursor_flag}"]).trim(), "01");
        self.send(&["stty -a | tr ';' '\\n' | grep -wc -e -echo -e -icanon", "Enter"]);
        self.wait(|screen| screen.contains("grep -wc") && screen.contains("\n0\n"));
    }
}

/// Runs a test while `web1` sends datagrams to `db1`, allowed ones and denied ones.
fn with_traffic(test: impl FnOnce(&Sandbox) + Send) {
    Sandbox::run(|sandbox| {
        let lab = Lab::bare(sandbox, DOCUMENT).unwrap();
        let [web1, _db1] = ["web1", "db1"].map(|name| lab.tap(name).unwrap());
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| send(&web1, &over));
            let ends = Ends(&over);
            test(sandbox);
            drop(ends);
        });
    });
}

/// Also where a test panics.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn send(web1: &Tap, over: &AtomicBool) {
    let frame = |port, len| {
        let link = eth(mac(11), mac(21)).ipv4("10.0.0.11", "10.0.0.21");
        link.udp(5000, port).payload(&vec![0; len]).frame()
    };
    let (allowed, denied) = (frame(53, 1000), frame(99, 10));
    while !over.load(Ordering::Relaxed) {
        for frame in [&allowed, &allowed, &allowed, &denied] {
            // It cannot be sent where `netctl down` has taken the tap away.
            if web1.send(frame).is_err() {
                return;
            }
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn line<'a>(screen: &'a str, with: &str) -> &'a str {
    screen.lines().find(|line| line.contains(with)).unwrap_or_else(|| panic!("no `{with}`:\n{screen}"))
}

#[test]
fn it_shows_ports_rules_connections_and_denials_and_follows_keys() {
    with_traffic(|sandbox| {
        let terminal = Terminal::open(sandbox, "LANG=C.UTF-8");
        terminal.send(&["./netctl top", "Enter"]);
        let screen = terminal.wait(|screen| screen.contains("LAST DENIED") && screen.contains("CONNECTION"));
        assert!(screen.starts_with("netctl top  sort bits"), "{screen}");
        let cells: Vec<&str> = line(&screen, ">web1").split_whitespace().collect();
        assert!(cells[1].ends_with('M') && cells[3] != "0", "bits and denials:\n{screen}");
        assert!(line(&screen, "10.0.0.11:5000").contains("udp/53"), "{screen}");
        assert!(line(&screen, "udp/99\"").contains("deny"), "{screen}");
        let denied = screen.lines().skip_while(|line| !line.contains("LAST DENIED")).nth(1).unwrap();
        assert!(denied.contains("10.0.0.21  udp/99   rule 2 line 14"), "{screen}");

        terminal.send(&["s", "s"]);
        terminal.wait(|screen| screen.starts_with("netctl top  sort denied"));
        terminal.send(&["Enter"]);
        let only = terminal.wait(|screen| screen.contains("only web1"));
        assert!(line(&only, ">").starts_with(">web1"), "web1 denies most:\n{only}");
        assert!(line(&only, "10.0.0.11:5000").ends_with("db1,web1"), "{only}");
        terminal.send(&["Down", "Enter", "Enter"]);
        let only = terminal.wait(|screen| screen.contains("only db1"));
        assert!(!only.contains("LAST DENIED"), "nothing was denied there:\n{only}");
        // Not together: that would be another key.
        terminal.send(&["Escape"]);
        terminal.wait(|screen| !screen.contains("only"));
        terminal.send(&["p"]);
        let paused = terminal.wait(|screen| screen.contains("PAUSED"));
        thread::sleep(Duration::from_millis(2500));
        assert_eq!(terminal.screen(), paused);
        terminal.send(&["h"]);
        terminal.wait(|screen| screen.contains("select a port"));
        terminal.send(&["q"]);
        terminal.is_as_before();
    });
}

#[test]
fn it_follows_the_size_of_its_terminal() {
    with_traffic(|sandbox| {
        let terminal = Terminal::open(sandbox, "LC_ALL=C NO_COLOR=1");
        terminal.send(&["./netctl top", "Enter"]);
        terminal.wait(|screen| screen.contains("FLOWS"));
        terminal.tmux(&["resize-window", "-x", "40", "-y", "12"]);
        let small = terminal.wait(|screen| screen.contains("DENIED/s") && !screen.contains("FLOWS"));
        assert!(small.lines().all(|line| line.len() <= 40) && small.is_ascii(), "{small}");
        assert!(line(&small, "q quit").starts_with("q quit  s sort"), "{small}");
        assert!(!terminal.has_red());
        terminal.tmux(&["resize-window", "-x", "120", "-y", "40"]);
        terminal.wait(|screen| screen.contains("FLOWS") && screen.lines().count() == 40);
        terminal.send(&["C-c"]);
        terminal.is_as_before();
    });
}

#[test]
fn the_terminal_is_given_back_whatever_ends_it() {
    with_traffic(|sandbox| {
        let terminal = Terminal::open(sandbox, "LANG=C.UTF-8");
        for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
            terminal.send(&["clear; ./netctl top --color always", "Enter"]);
            terminal.wait(|screen| screen.contains("FROM b/s"));
            let denied = terminal.wait(|screen| screen.contains("LAST DENIED"));
            assert!(terminal.has_red(), "{denied}");
            let pid = terminal.tmux(&["display-message", "-p", "#{pane_pid}"]);
            let pid = pid.trim();
            let child = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
            kill(Pid::from_raw(child.trim().parse().unwrap()), signal).unwrap();
            terminal.is_as_before();
        }
        terminal.send(&["clear; ./netctl top", "Enter"]);
        terminal.wait(|screen| screen.contains("FROM b/s"));
        sandbox.netctl(["down"]).expect_code(0);
        terminal.wait(|screen| screen.contains("netctl: "));
        terminal.is_as_before();
    });
}

#[test]
fn without_a_terminal_it_says_what_to_use() {
    with_traffic(|sandbox| {
        let refused = sandbox.netctl(["top"]).expect_code(2);
        assert!(refused.stderr.contains("`netctl stats` and `netctl events`"), "{refused}");
        let dumb = Terminal::open(sandbox, "TERM=dumb");
        dumb.send(&["./netctl top", "Enter"]);
        dumb.wait(|screen| screen.contains("needs a terminal"));
    });
}

#[test]
fn once_is_text_or_json_with_the_same_facts() {
    with_traffic(|sandbox| {
        let text = sandbox.netctl(["top", "--once"]).expect_code(0).stdout;
        let json = sandbox.netctl(["top", "--once", "--json"]).expect_code(0).json();
        let web1 = &json["ports"][1];
        assert_eq!(web1["port"], "web1");
        let denied = web1["denied"].as_f64().unwrap();
        let passed = json["talkers"][0]["packets"].as_f64().unwrap();
        assert!(denied > 1.0 && passed > denied, "{json:#}");
        assert_eq!((&json["rules"][0]["number"], &json["rules"][0]["action"]), (&2.into(), &"deny".into()));
        assert_eq!(json["talkers"][0]["service"], "udp/53");
        assert!(
            text.starts_with("netctl top  sort bits  2 ports  generation 1") && text.contains(">"),
            "{text}"
        );
        assert!(!text.contains("q quit"), "{text}");
        assert!(line(&text, "10.0.0.11:5000").contains("udp/53"), "{text}");
    });
}
