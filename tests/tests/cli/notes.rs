//! The notes of `netctl check`: as text and as JSON, and from no other command.

use netctl_tests::sandbox::Sandbox;
use serde_json::{Value, json};

use crate::lab::{DOCUMENT, Lab};

const MORE: &str = r#"  { allow = "tcp/1-65535", from = "web", to = "db", audit = true },
  { allow = "any", from = "web1", to = "world" },
]
[sets]
office = ["192.0.2.0/24"]
"#;

#[test]
fn notes_have_their_lines_and_change_no_exit_code() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.write("notes.toml", DOCUMENT.trim_end().trim_end_matches(']').to_owned() + MORE);
        let text = lab.sh("netctl check notes.toml").expect_code(0);
        assert!(text.stderr.ends_with("netctl: 3 notes\n"), "{text}");
        let found = lab.sh("netctl check notes.toml --json").expect_code(0).json();
        let notes: Vec<Value> = found["diagnostics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|note| json!([note["severity"], note["line"], note["message"]]))
            .collect();
        let expected = json!([
            ["note", 23, "this rule changes nothing: without it, the policy's default does the same"],
            ["note", 25, "this rule is wide: it allows every service to `world`"],
            ["note", 28, "no rule names the set `office`"],
        ]);
        assert_eq!(json!(notes), expected);
        let other = lab.sh("netctl policy matrix notes.toml").expect_code(0);
        assert!(!other.stderr.contains("note"), "{other}");
    });
}
