//! `netctl report`: the page in a real browser, and the same facts as JSON.

use std::fs;
use std::path::Path;

use netctl_tests::sandbox::Sandbox;
use serde_json::Value;

use crate::lab::{DOCUMENT, Lab};
use crate::metrics::with_traffic;

/// What a browser must not take for anything but text.
const HOSTILE: &str =
    "</td><script>document.title='taken'</script><img src=x onerror=document.title='taken'>";

fn hostile() -> String {
    let limits = "groups = [\"db\"]\nlimits = { to-guest = { packets = 999 } }\nguards = { router = false }";
    DOCUMENT.replace("\"never 99\"", &format!("\"{HOSTILE}\"")).replacen("groups = [\"db\"]", limits, 1)
}

/// Loads the page as a frame of this width, and tells how wide it is, and what is in it that should not be there.
fn measuring(width: u32) -> String {
    format!(
        "<!DOCTYPE html><title>m</title><iframe src=report.html width={width} height=9000 style='border:0'></iframe>\
         <script>onload = () => {{ const d = document.querySelector('iframe').contentDocument; \
         const v = d.defaultView; document.body.textContent = JSON.stringify({{ \
         width: d.scrollingElement.clientWidth, scroll: d.scrollingElement.scrollWidth, title: d.title, \
         active: d.querySelectorAll('script,img,iframe,object,link,form').length, \
         styled: v.getComputedStyle(d.querySelector('.wide')).overflowX, \
         text: d.body.innerText }}) }}</script>"
    )
}

/// What Chromium makes of a file in the lab's folder.
#[track_caller]
fn chromium(lab: &Lab<'_>, options: &str, file: &str) -> String {
    let there = lab.sh("command -v chromium").code == Some(0);
    assert!(there, "there is no chromium: `cargo xtask setup` installs it");
    let quiet = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
                 --disable-component-update --disable-sync --user-data-dir=/run/chromium";
    // The page is a file beside the one that looks into it.
    let look = "--allow-file-access-from-files --virtual-time-budget=5000";
    let done = lab.sh(&format!("chromium {quiet} {look} {options} file:///run/lab/{file}")).expect_code(0);
    done.stdout
}

fn measured(lab: &Lab<'_>, width: u32) -> Value {
    lab.write("measure.html", measuring(width));
    let dom = chromium(lab, "--window-size=1600,2200 --dump-dom", "measure.html");
    let body = dom.split("<body>").nth(1).and_then(|it| it.split("</body>").next()).unwrap_or_default();
    let plain = body.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", " ").replace("&amp;", "&");
    serde_json::from_str(plain.trim()).unwrap_or_else(|e| panic!("{e}: {dom}"))
}

#[test]
fn a_browser_shows_all_of_it_at_any_width_and_runs_nothing() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.write("host.toml", hostile());
        lab.apply();
        let _guest = with_traffic(&lab);
        lab.sh("netctl report -o report.html").expect_code(0);
        for width in [1280, 400] {
            let page = measured(&lab, width);
            assert_eq!(page["width"], width, "{page:#}");
            assert!(page["scroll"].as_u64() <= Some(width.into()), "wider than {width}: {page:#}");
            // The hash of the policy is that of the style, or there would be none.
            assert_eq!(page["styled"], "auto", "{page:#}");
            assert_eq!(page["active"], 0, "{page:#}");
            let title = page["title"].as_str().unwrap();
            assert!(title.starts_with("netctl on "), "{title}");
            let text = page["text"].as_str().unwrap();
            for wanted in [
                "Networks",
                "bridge",
                "52:54:00:00:00:11",
                "without guard router",
                "Who reaches whom",
                "tcp/5432",
                "app to database",
                "unused",
                "to-guest",
                "10.0.0.11",
                "udp/99",
                "port `db1` can make itself the router",
                HOSTILE,
            ] {
                assert!(text.contains(wanted), "no {wanted} in\n{text}");
            }
        }
        chromium(&lab, "--window-size=400,2600 --screenshot=/run/lab/report.png", "report.html");
        assert!(fs::metadata("/run/lab/report.png").unwrap().len() > 20_000);
    });
}

#[test]
fn the_page_needs_nothing_else_and_the_json_has_the_same_facts() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.write("host.toml", hostile());
        lab.apply();
        let _guest = with_traffic(&lab);
        let page = lab.sh("netctl report").expect_code(0).stdout;
        assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"), "{page}");
        assert!(page.contains("content=\"default-src 'none'; style-src 'sha256-"), "{page}");
        for loads in ["http:", "https:", "src=\"", "url(", "@import", "<script", "<link"] {
            assert!(!page.contains(loads), "{loads} in\n{page}");
        }
        let facts = lab.sh("netctl report --json").expect_code(0).json();
        let number = |pointer: &str| facts.pointer(pointer).cloned().unwrap_or_default();
        assert_eq!(number("/rules/2/packets"), 3, "{facts:#}");
        assert_eq!((number("/rules/0/unused"), number("/rules/3/unused")), (true.into(), false.into()));
        assert_eq!(number("/rules/3/name"), HOSTILE);
        assert_eq!(number("/ports/1/name"), "web1");
        assert_eq!(number("/networks/0/state"), "up");
        assert_eq!(number("/denies/0/service"), "udp/99");
        assert_eq!(facts["denies"].as_array().unwrap().len(), 2, "{facts:#}");
        assert_eq!(number("/default"), "deny");
        assert_eq!(number("/attention"), serde_json::json!([]));
        let reached = facts["reach"]["cells"].as_array().unwrap();
        let cell = reached.iter().find(|cell| cell["from"] == "web1" && cell["to"] == "db1").unwrap();
        assert!(cell["services"].to_string().contains("5432"), "{cell}");
    });
}

#[test]
fn what_is_wrong_stands_at_the_top() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.write("host.toml", DOCUMENT.replace("default = \"deny\"", "default = \"deny\"\naudit = true"));
        lab.apply();
        lab.sh("ip link delete web1").expect_code(0);
        let attention =
            lab.sh("netctl report --json --denies 0").expect_code(0).json()["attention"].to_string();
        assert!(attention.contains("audit mode") && attention.contains("port web1: "), "{attention}");
    });
}

#[test]
fn a_page_takes_the_place_of_the_last_one_or_nothing_is_left() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        let refused = lab.sh("netctl report -o report.html").expect_code(2);
        assert!(!Path::new("/run/lab/report.html").exists(), "{refused}");
        lab.apply();
        lab.write("report.html", "older");
        lab.sh("netctl report -o report.html").expect_code(0);
        assert!(fs::read_to_string("/run/lab/report.html").unwrap().ends_with("</html>"));
        let missing = lab.sh("netctl report -o missing/report.html").expect_code(2);
        assert!(missing.stderr.starts_with("netctl: cannot write missing/report.html: "), "{missing}");
        let piped = lab.sh("netctl report -o /dev/stdout | head -c 15").expect_code(0).stdout;
        assert_eq!(piped, "<!DOCTYPE html>");
        let left = lab.sh("ls -A").stdout;
        assert_eq!(left, "disk.qcow2\nhost.toml\nreport.html\n");
    });
}
