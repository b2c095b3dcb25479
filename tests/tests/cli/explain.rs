//! `netctl explain`: each step of a decision in words and as JSON, the line to change, and every way to ask.

use netctl_tests::bridge::wait_forwarding;
use netctl_tests::frame::{Build, Carrier, eth, mac};
use netctl_tests::sandbox::Sandbox;
use netctl_tests::tap::Tap;
use serde_json::{Value, json};

use crate::lab::{DOCUMENT, Lab};

#[track_caller]
fn asked(lab: &Lab<'_>, question: &str, code: i32) -> Value {
    lab.sh(&format!("netctl explain {question} --json")).expect_code(code).json()
}

/// The verdict and text of a step of the first port.
#[track_caller]
fn stage(answer: &Value, name: &str) -> (String, String) {
    let stages = answer["steps"][0]["stages"].as_array().unwrap();
    let found = stages.iter().find(|stage| stage["step"] == name);
    let found = found.unwrap_or_else(|| panic!("no step {name} in {answer:#}"));
    let word = |key: &str| found[key].as_str().unwrap().to_owned();
    (word("verdict"), word("text"))
}

#[test]
fn a_denied_flow_is_told_with_each_step_and_the_line_to_change() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let text = lab.sh("netctl explain db1 web1 tcp/5432").expect_code(1).stdout;
        let expected = r#"deny  db1 (10.0.0.21) > web1 (10.0.0.11)  tcp/5432
  db1 from-guest: deny, default: No rule matches; the policy's default decided.
    frame    pass    tcp/5432 10.0.0.21 > 10.0.0.11, source port 49152
    guards   pass    its sender's addresses are db1's
    flow     none    no flow; the rules decide
    classes  pass    10.0.0.21 is port db1, group db (class 1); 10.0.0.11 is port web1, group web (class 2)
    chain    pass    from any: none, to any: none, between the two: none
    rule     deny    the default is deny
    nearest rule that allows tcp/5432 from web to db: rule 1 (line 20) "app to database"
      but the source, 10.0.0.21, is not in `web`
      but the destination, 10.0.0.11, is not in `db`
    to change: in line 20, add db1 to `from`, or put it into group web (`groups` of the port, line 11), and add web1 to `to`, or put it into group db (`groups` of the port, line 5)
    or add { allow = "tcp/5432", from = "db1", to = "web1" }
answered by the running programs (BPF_PROG_TEST_RUN), generation 1
"#;
        assert_eq!(text, expected);
        let answer = asked(&lab, "db1 web1 tcp/5432", 1);
        let step = &answer["steps"][0];
        let stages: Vec<(&Value, &Value)> =
            step["stages"].as_array().unwrap().iter().map(|it| (&it["step"], &it["verdict"])).collect();
        let names = ["frame", "guards", "flow", "classes", "chain", "rule"].map(Value::from);
        let verdicts = ["pass", "pass", "none", "pass", "pass", "deny"].map(Value::from);
        assert_eq!(stages, names.iter().zip(&verdicts).collect::<Vec<_>>());
        assert_eq!(step["ends"]["source"]["is"], json!(["port db1", "group db"]));
        assert_eq!(step["nearest"]["rule"]["line"], 20);
        assert_eq!(step["nearest"]["differs"][0]["field"], "from");
        assert_eq!(step["new_rule"], r#"{ allow = "tcp/5432", from = "db1", to = "web1" }"#);
        // What it proposes does it.
        let rule = step["new_rule"].as_str().unwrap();
        lab.write("host.toml", DOCUMENT.replace("rules = [", &format!("rules = [\n  {rule},")));
        lab.apply();
        assert_eq!(asked(&lab, "db1 web1 tcp/5432", 0)["allowed"], true);
    });
}

#[test]
fn the_nearest_rule_differs_in_the_fewest_fields() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        for (question, code, line, fields) in [
            ("web1 db1 tcp/22", 1, 20, vec!["service"]),
            ("host db1 tcp/5432", 1, 20, vec!["from"]),
            ("host web1 udp/5354", 1, 22, vec!["service"]),
            // Of an allowed one, the rule that would deny it.
            ("host web1 udp/5353", 0, 23, vec!["service"]),
        ] {
            let answer = asked(&lab, question, code);
            let nearest = &answer["steps"][0]["nearest"];
            assert_eq!(nearest["rule"]["line"], line, "{question}: {answer:#}");
            let differs: Vec<&Value> =
                nearest["differs"].as_array().unwrap().iter().map(|it| &it["field"]).collect();
            assert_eq!(differs, fields, "{question}");
        }
        // One that anyone may use for another service is further away than one for the service.
        let site = "rules = [\n  { allow = \"tcp/443\", from = \"any\", to = \"web\" },";
        let shell = "  { allow = \"tcp/22\", from = \"db\", to = \"web\" },";
        lab.write("host.toml", DOCUMENT.replace("rules = [", &format!("{site}\n{shell}")));
        lab.apply();
        let nearest = &asked(&lab, "host web1 tcp/22", 1)["steps"][0]["nearest"];
        assert_eq!((&nearest["rule"]["line"], &nearest["differs"][0]["field"]), (&21.into(), &"from".into()));
        // A rule that stands too late.
        let late = "{ deny = \"udp/99\", from = \"host\", to = \"web\", name = \"never 99\" },";
        let more = format!("{late}\n  {{ allow = \"udp/90-99\", from = \"any\", to = \"web\" }},");
        lab.write("host.toml", DOCUMENT.replace(late, &more));
        lab.apply();
        let text = lab.sh("netctl explain host web1 udp/99").expect_code(1).stdout;
        assert!(
            text.contains("      but rule 4 comes first\n    to change: move line 24 before line 23"),
            "{text}"
        );
    });
}

#[test]
fn guards_vlans_and_limits_are_told_with_what_would_pass() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        // A long frame takes 11 s to be paid for.
        let held = "groups = [\"web\"]\nlimits = { from-guest = { bits = { rate = 1000, burst = 70000 } } }";
        lab.write("host.toml", DOCUMENT.replacen("groups = [\"web\"]", held, 1));
        lab.apply();
        let answer = asked(&lab, "web1/10.0.0.99 db1 tcp/5432", 1);
        assert_eq!(stage(&answer, "guards").0, "deny");
        let held = &answer["steps"][0]["held"];
        assert_eq!((&held["by"], &held["claimed"]), (&json!("guard ip"), &json!("source 10.0.0.99")));
        assert!(held["allowed"].as_str().unwrap().starts_with("10.0.0.11, fd00::11"), "{held}");
        assert!(answer["steps"][0]["nearest"].is_null(), "{answer:#}");
        let (verdict, text) = stage(&asked(&lab, "web1 db1 tcp/5432", 0), "limits");
        assert_eq!((&*verdict, &*text), ("pass", "bits have tokens"));
        // The guest takes the tokens.
        let guest = Tap::open("web1").unwrap();
        wait_forwarding("web1").unwrap();
        let long = eth(mac(0x11), mac(0x21)).ipv4("10.0.0.11", "10.0.0.21").tcp(1000, 5432);
        let long = long.payload(&[7; 1400]).frame();
        (0..60).for_each(|_| guest.send(&long).unwrap());
        let question = format!("--port web1 --hex {}", digits(&long));
        let framed = asked(&lab, &question, 1);
        assert_eq!((&framed["reason"], &framed["held"]["by"]), (&json!("bit-limit"), &json!("limit bits")));
        assert_eq!(framed["held"]["allowed"], "1000 a second, 70000 bytes at once");
    });
}

#[test]
fn a_flow_answers_unless_it_is_left_out() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let _guest = Tap::open("web1").unwrap();
        wait_forwarding("web1").unwrap();
        sandbox.ip("neighbor replace 10.0.0.11 lladdr 52:54:00:00:00:11 dev lab nud permanent");
        lab.sh("echo hello > /dev/udp/10.0.0.11/5353").expect_code(0);
        let flows = lab.sh("netctl flows --port web1 --json").expect_code(0).json();
        let question = format!("host web1 udp/5353 --source-port {}", flows[0]["source_port"]);
        let opening = || {
            let dump = lab.sh("netctl map dump openings --port web1 --json").expect_code(0).stdout;
            // Time passes by itself.
            let idle = dump.split(", ").find(|part| part.starts_with("idle ")).unwrap();
            dump.replace(idle, "")
        };
        let before = opening();
        assert!(before.contains("5353"), "{before}");
        let answer = asked(&lab, &question, 0);
        let step = &answer["steps"][0];
        assert_eq!((&step["reason"], &step["flow"]["state"]), (&json!("flow"), &json!("unanswered")));
        assert_eq!(step["flow"]["rule"]["line"], 22, "{answer:#}");
        assert!(stage(&answer, "flow").1.starts_with("unanswered, opened to-guest"), "{answer:#}");
        let anew = asked(&lab, &format!("{question} --as-new"), 0);
        assert_eq!((&anew["as_new"], &anew["steps"][0]["reason"]), (&json!(true), &json!("rule")));
        assert_eq!(stage(&anew, "flow"), ("skip".to_owned(), "not asked (--as-new)".to_owned()));
        assert_eq!(opening(), before, "asking changed the flow");
    });
}

/// A pcap file with frames; of each, this many bytes are kept.
fn pcap(link: u32, frames: &[(&[u8], usize)]) -> Vec<u8> {
    let mut file = [0xa1b2_c3d4u32.to_le_bytes(), [2, 0, 4, 0], [0; 4], [0; 4]].concat();
    file.extend([262_144, link].map(u32::to_le_bytes).concat());
    for (frame, kept) in frames {
        file.extend([0, 0, *kept as u32, frame.len() as u32].map(u32::to_le_bytes).concat());
        file.extend(&frame[..*kept]);
    }
    file
}

fn digits(frame: &[u8]) -> String {
    frame.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn frames_are_asked_about_as_they_were_captured() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let to = |port| eth(mac(0x11), mac(0x21)).ipv4("10.0.0.11", "10.0.0.21").tcp(1000, port);
        let (good, bad) = (to(5432).frame(), to(22).frame());
        let (long, huge) = (to(5432).payload(&[7; 1000]).frame(), to(5432).payload(&[7; 5000]).frame());
        let file = pcap(1, &[(&good, good.len()), (&bad, bad.len()), (&long, 60), (&huge, huge.len())]);
        lab.write("a.pcap", &file);
        let text = lab.sh("netctl explain --pcap a.pcap --port web1").expect_code(1).stdout;
        let line = |number: usize| text.lines().nth(number).unwrap().split_whitespace().collect::<Vec<_>>();
        let heads =
            ["FRAME", "BYTES", "DIRECTION", "SOURCE", "DESTINATION", "SERVICE", "VERDICT", "REASON", "RULE"];
        assert_eq!(line(0), heads);
        assert_eq!(&line(1)[2..8], ["from-guest", "10.0.0.11", "10.0.0.21", "tcp/5432", "allow", "rule"]);
        assert_eq!(&line(2)[5..], ["tcp/22", "deny", "default", "-"]);
        assert!(text.lines().nth(3).unwrap().contains("captured 60 of"), "{text}");
        assert!(line(4).contains(&"(BPF_PROG_TEST_RUN"), "{text}");
        let lines = lab.sh("netctl explain --pcap a.pcap --port web1 --json").expect_code(1).stdout;
        let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows.len(), 4);
        assert_eq!((&rows[1]["action"], &rows[1]["nearest"]["rule"]["line"]), (&json!("deny"), &json!(20)));
        assert_eq!((&rows[2]["captured"], &rows[2]["action"]), (&json!(60), &json!("allow")));
        // At the other port they are on their way to the guest.
        let there = lab.sh("netctl explain --pcap a.pcap --port db1").expect_code(1).stdout;
        assert!(there.lines().nth(1).unwrap().contains("to-guest"), "{there}");
        let question = format!("netctl explain --port web1 --hex {}", digits(&bad));
        let one = lab.sh(&question).expect_code(1).stdout;
        assert!(one.contains("to change: in line 20, add tcp/22 to `allow`"), "{one}");
        let piped = format!("echo {} | netctl explain --port web1 --hex -", digits(&good));
        assert!(lab.sh(&piped).expect_code(0).stdout.starts_with("allow  10.0.0.11 > 10.0.0.21  tcp/5432\n"));
        let user_space =
            lab.sh("netctl explain --pcap a.pcap --port web1 --document host.toml").expect_code(1);
        assert!(user_space.stdout.lines().nth(4).unwrap().contains("allow"), "{user_space}");
    });
}

#[test]
fn bad_captures_and_questions_are_told_by_name() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let frame = eth(mac(0x11), mac(0x21)).ipv4("10.0.0.11", "10.0.0.21").tcp(1000, 5432).frame();
        let whole = pcap(1, &[(&frame, frame.len()), (&frame, frame.len())]);
        lab.write("cut.pcap", &whole[..whole.len() - 3]);
        lab.write("sll.pcap", pcap(113, &[(&frame, frame.len())]));
        for (question, told) in [
            ("--pcap cut.pcap --port web1", "what follows frame 1 is cut"),
            ("--pcap sll.pcap --port web1", "link type LINUX_SLL"),
            ("--pcap host.toml --port web1", "host.toml is no pcap or pcapng file"),
            ("--pcap nowhere.pcap --port web1", "cannot read nowhere.pcap"),
            ("--pcap cut.pcap --port wep1", "did you mean `web1`?"),
            ("--hex 5 --port web1", "half a byte"),
            ("--hex 52540000 --port web1", "takes no frame of this length"),
            ("--port web1", "--pcap FILE or --hex BYTES"),
            ("web1 tcp/22", "SERVICE is missing"),
            ("--from web1 --to db1 --service tcp/1 tcp/2", "one word too many"),
            ("web1 db2 tcp/22", "did you mean `db1`?"),
        ] {
            let said = lab.sh(&format!("netctl explain {question}")).expect_code(2).stderr;
            assert!(said.contains(told), "`explain {question}`: {said}");
        }
        // What was whole has been told.
        let told = lab.sh("netctl explain --pcap cut.pcap --port web1").expect_code(2).stdout;
        assert_eq!(told.lines().count(), 2, "{told}");
        sandbox.ip("link del db1");
        let said = lab.sh("netctl explain web1 db1 tcp/5432").expect_code(2).stderr;
        assert!(said.contains("port `db1` has no interface now"), "{said}");
    });
}

#[test]
fn words_and_options_ask_the_same() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let words = asked(&lab, "world/192.0.2.7 web1 icmp", 0);
        for question in [
            "--from world/192.0.2.7 --to web1 icmp",
            "--from world/192.0.2.7 --to web1 --service icmp",
            "--from world/192.0.2.7 web1 icmp",
        ] {
            assert_eq!(asked(&lab, question, 0), words, "{question}");
        }
    });
}

/// All that every map holds.
fn maps(lab: &Lab<'_>) -> Vec<(String, String)> {
    let maps = lab.sh("netctl map list --json").expect_code(0).json();
    let names = maps.as_array().unwrap().iter().map(|map| map["name"].as_str().unwrap().to_owned());
    let dump = |name: &str| lab.sh(&format!("netctl map dump {name} --json")).expect_code(0).stdout;
    let mut maps: Vec<_> = names.map(|name| (dump(&name), name)).map(|(rows, name)| (name, rows)).collect();
    let quotas = lab.sh("bpftool -j map dump pinned /sys/fs/bpf/netctl/v*/maps/quotas").expect_code(0);
    maps.push(("quotas".to_owned(), quotas.stdout));
    maps
}

#[test]
fn no_question_leaves_a_trace_in_any_map() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        let held =
            "groups = [\"web\"]\nlimits = { from-guest = { new-flows = 9, bits = \"1M\", broadcast = 5 } }";
        let text =
            DOCUMENT.replacen("groups = [\"web\"]", held, 1).replace("name = \"never 99\"", "log = true");
        let learner =
            "[ports.new1]\nnetwork = \"lab\"\nmac = \"52:54:00:00:00:31\"\naddresses = \"learn\"\n\n[policy]";
        lab.write("host.toml", text.replace("[policy]", learner));
        lab.apply();
        let before = maps(&lab);
        assert!(before.len() > 20, "{before:?}");
        let arp = "ffffffffffff525400000011080600010800060400015254000000110a00000b0000000000000a000015";
        let probe = "3333ff000031525400000031 86dd 60000000 0020 3aff 00000000000000000000000000000000 \
                     ff0200000000000000000001ff000031 8700 0000 00000000 fd00000000000000000000000000 0031 \
                     0e01010101010101";
        for question in [
            "web1 db1 tcp/5432",
            "web1 db1 tcp/5432 --as-new",
            "db1 web1 tcp/22",
            "host web1 udp/99",
            "host web1 udp/5353",
            "web1/10.0.0.99 db1 tcp/5432",
            "web1 10.0.0.255 udp/9",
            "world/192.0.2.7 web1 icmp",
            &format!("--port web1 --hex {arp}"),
            &format!("--port new1 --hex '{probe}'"),
        ] {
            let code = lab.sh(&format!("netctl explain {question}")).code;
            assert!(matches!(code, Some(0 | 1)), "{question}: {code:?}");
        }
        assert_eq!(maps(&lab), before);
    });
}
