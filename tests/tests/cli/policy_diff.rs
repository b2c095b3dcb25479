//! `netctl policy diff`: the table and the JSON say the same, and the exit code which it is.

use netctl_tests::sandbox::Sandbox;
use serde_json::json;

use crate::lab::{DOCUMENT, Lab};

#[test]
fn a_difference_is_the_same_as_a_table_and_as_json() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        let after = DOCUMENT
            .replace("5432", "5433")
            .replace("groups = [\"web\"]", "guards = { origin = false }\ngroups = [\"web\"]");
        lab.write("after.toml", after);
        let table = lab.sh("netctl policy diff host.toml after.toml").expect_code(1).stdout;
        let expected = "~ port (line 5): web1: lab 52:54:00:00:00:11 [10.0.0.11, fd00::11] becomes \
                        lab 52:54:00:00:00:11 [10.0.0.11, fd00::11], without guard origin\n\
                        FROM  TO  SERVICES  OVER  BEFORE                                     AFTER\n\
                        web   db  tcp/5432  ip    allow, rule 1 (line 20) \"app to database\"  deny, default\n\
                        web   db  tcp/5433  ip    deny, default                              allow, rule 1 (line 21) \"app to database\"\n";
        assert_eq!(table, expected);
        let found = lab.sh("netctl policy diff host.toml after.toml --json").expect_code(1).json();
        assert_eq!((&found["same"], &found["omitted"]), (&json!(false), &json!(0)));
        assert_eq!(found["ports"][0]["what"], "port");
        let flow = &found["flows"][0];
        let ends = (&flow["from"], &flow["to"], &flow["services"], &flow["family"]);
        assert_eq!(ends, (&json!(["web"]), &json!(["db"]), &json!(["tcp/5432"]), &json!("ip")));
        let rule = json!({
            "number": 1,
            "line": 20,
            "name": "app to database",
            "text": r#"{ allow = "tcp/5432", from = "web", to = "db", name = "app to database" },"#,
        });
        assert_eq!(flow["before"], json!({ "verdict": "allow", "reason": "rule", "rule": rule }));
        assert_eq!(flow["after"], json!({ "verdict": "deny", "reason": "default" }));
    });
}

#[test]
fn exit_codes_tell_sameness_from_failure() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        let same = lab.sh("netctl policy diff host.toml host.toml --json").expect_code(0).json();
        assert_eq!(same, json!({ "same": true, "ports": [], "flows": [], "omitted": 0 }));
        assert_eq!(lab.sh("netctl policy diff host.toml host.toml").expect_code(0).stdout, "");
        lab.write("wrong.toml", DOCUMENT.replace("to = \"db\"", "to = \"dbs\""));
        let wrong = lab.sh("netctl policy diff host.toml wrong.toml").expect_code(2);
        assert_eq!(wrong.stdout, "");
        assert!(
            wrong.stderr.contains("did you mean `db`?") && wrong.stderr.contains("wrong.toml has errors")
        );
        assert!(lab.sh("netctl policy diff none.toml host.toml").expect_code(2).stderr.contains("none.toml"));
        // Nothing runs yet, and then the same.
        lab.sh("netctl policy diff host.toml").expect_code(2);
        lab.apply();
        lab.sh("netctl policy diff host.toml").expect_code(0);
        let limited =
            "sed 's/deny\"/reject\"/' host.toml > more.toml; netctl policy diff more.toml --limit 1";
        let limited = lab.sh(limited).expect_code(1);
        assert_eq!(limited.stdout.lines().count(), 2, "{limited}");
        assert!(limited.stderr.contains("more left out; `--limit 0` shows all"), "{limited}");
    });
}
