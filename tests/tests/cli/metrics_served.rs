//! `netctl metrics --listen`: what scrapers get, and what hostile ones do not.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use netctl_tests::process::Running;
use netctl_tests::sandbox::Sandbox;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::lab::Lab;

const ADDRESS: &str = "127.0.0.1:9471";
const LIMIT: Duration = Duration::from_secs(20);

pub(crate) fn serve(lab: &Lab<'_>, address: &str) -> Running {
    let server = lab.start(&format!("netctl metrics --listen {address}"));
    let begun = server.wait_for_line(LIMIT, |said| said.starts_with("netctl: metrics at"));
    assert!(begun.is_some(), "{:?}", server.said());
    server
}

/// Sends it and reads until the other end closes.
fn ask(request: &[u8]) -> String {
    let mut stream = connect();
    stream.write_all(request).unwrap();
    rest(&mut stream)
}

fn connect() -> TcpStream {
    let stream = TcpStream::connect(ADDRESS).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

const REQUEST: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

/// The process that scrapers talk to.
fn confined(server: &Running) -> i32 {
    let pid = server.pid();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    children.trim().parse().unwrap_or_else(|e| panic!("{children}: {e}"))
}

#[test]
fn a_scraper_gets_the_form_that_it_asks_for() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let _server = serve(&lab, ADDRESS);
        let older = ask(REQUEST);
        assert!(older.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4;"), "{older}");
        let accept = "GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text; version=1.0.0\r\n\r\n";
        let open = ask(accept.as_bytes());
        let (head, body) = open.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("Content-Type: application/openmetrics-text; version=1.0.0;"), "{head}");
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
        assert!(body.ends_with("\n# EOF\n") && body.contains("netctl_policy_rules 4\n"), "{body}");
    });
}

#[test]
fn what_is_no_scrape_is_refused_and_the_next_one_is_served() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let _server = serve(&lab, ADDRESS);
        let long = [b"GET /metrics HTTP/1.1\r\nA: ".as_slice(), &[b'a'; 20_000], b"\r\n\r\n"].concat();
        for (request, status) in [
            (b"POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc".as_slice(), "405"),
            (b"GET /etc/passwd HTTP/1.1\r\n\r\n", "404"),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "400"),
            (b"GET /metrics HTTP/3\r\n\r\n", "505"),
            (&long, "431"),
        ] {
            let answer = ask(request);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            assert!(ask(REQUEST).contains(" 200 OK\r\n"));
        }
    });
}

#[test]
fn silent_connections_hold_up_nobody_and_end() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let server = serve(&lab, ADDRESS);
        let mut silent: Vec<TcpStream> = (0..200).map(|_| connect()).collect();
        for stream in &mut silent {
            // Those that were closed meanwhile say so, or not yet.
            let _ = stream.write_all(b"GET /metrics HT");
        }
        let began = Instant::now();
        assert!(ask(REQUEST).contains(" 200 OK\r\n"));
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        let open = fs::read_dir(format!("/proc/{}/fd", confined(&server))).unwrap().count();
        assert!(open < 25, "{open} descriptors");
        let told = rest(silent.last_mut().unwrap());
        assert!(told.starts_with("HTTP/1.1 408 "), "{told}");
    });
}

#[test]
fn who_serves_has_no_privileges_and_ends_with_its_parent() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let mut server = serve(&lab, ADDRESS);
        let child = confined(&server);
        let status = fs::read_to_string(format!("/proc/{child}/status")).unwrap();
        for line in [
            "Uid:\t65534\t65534\t65534\t65534",
            "CapPrm:\t0000000000000000",
            "CapBnd:\t0000000000000000",
            "NoNewPrivs:\t1",
            "Seccomp:\t2",
        ] {
            assert!(status.lines().any(|it| it == line), "no {line} in\n{status}");
        }
        server.kill();
        let deadline = Instant::now() + LIMIT;
        while Path::new(&format!("/proc/{child}/exe")).exists() {
            assert!(Instant::now() < deadline, "{child} goes on without its parent");
            std::thread::sleep(Duration::from_millis(10));
        }
    });
}

#[test]
fn without_the_process_that_serves_the_command_ends() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let mut server = serve(&lab, ADDRESS);
        kill(Pid::from_raw(confined(&server)), Signal::SIGKILL).unwrap();
        assert_eq!(server.wait(LIMIT).and_then(|status| status.code()), Some(2), "{:?}", server.said());
    });
}

#[test]
fn where_nothing_runs_scrapers_are_told_and_it_goes_on() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        let _server = serve(&lab, ADDRESS);
        let answer = ask(REQUEST);
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("netctl apply"), "{answer}");
        lab.apply();
        // What was told is told again for a second.
        std::thread::sleep(Duration::from_millis(1500));
        assert!(ask(REQUEST).contains("netctl_policy_rules 4\n"));
    });
}

#[test]
fn a_unix_socket_is_roots_and_goes_with_the_command() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let mut server = serve(&lab, "unix:metrics.sock");
        let path = Path::new("/run/lab/metrics.sock");
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        let got = lab.sh("curl -sf --unix-socket metrics.sock http://netctl/metrics").expect_code(0).stdout;
        assert!(got.contains("netctl_policy_rules 4\n"), "{got}");
        server.signal(Signal::SIGTERM);
        assert_eq!(server.wait(LIMIT).and_then(|status| status.code()), Some(0), "{:?}", server.said());
        assert!(!path.exists());
        for (address, words) in [
            ("localhost:9471", "write PORT for 127.0.0.1, ADDRESS:PORT with a numeric address"),
            ("unix:", "a unix socket's path has 1 to 107 bytes"),
            ("192.0.2.1:9471", "cannot listen on `http://192.0.2.1:9471/metrics`"),
        ] {
            let refused = lab.sh(&format!("netctl metrics --listen {address}")).expect_code(2);
            assert!(refused.stderr.contains(words), "{refused}");
        }
    });
}
