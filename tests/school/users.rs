//! Users, tokens and the log of who did what, at the command line.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Ran, School};

const PASSWORD: &str = "correct horse";

/// `admin ...` with a first line of standard input.
fn admin(school: &School, args: &[&str], typed: &str) -> Ran {
    let mut command = school.command(&[&["--json", "admin"], args].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    // A program that has refused already does not read.
    let _ = running.stdin.take().unwrap().write_all(typed.as_bytes());
    Ran::of(running.wait_with_output().unwrap())
}

fn add(school: &School, name: &str, rest: &[&str]) -> Ran {
    let args = [&["user", "add", name, "--password-stdin"], rest].concat();
    admin(school, &args, &format!("{PASSWORD}\n"))
}

#[track_caller]
fn code(ran: Ran) -> String {
    let said = ran.expect(1).json();
    said["error"]["code"].as_str().unwrap().to_owned()
}

fn names(list: &Value) -> Vec<&str> {
    list["rows"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

#[test]
fn the_first_administrator_is_added_and_others_are_looked_after() {
    let school = School::with_roster();
    let ann = add(&school, "ann", &["--role", "admin", "--display-name", "Ann Example"]).expect(0).json();
    assert_eq!(
        (&ann["role"], &ann["display_name"], &ann["active"]),
        (&json!("admin"), &json!("Ann Example"), &json!(true))
    );
    let classes = ["--class", "cse", "--section", "a", "--class", "AIML", "--section", "B"];
    let ben = add(&school, "ben", &[&["--role", "teacher"], &classes[..]].concat()).expect(0).json();
    let labels = |user: &Value| -> Vec<String> {
        let label = |c: &Value| format!("{}-{}", c["class"].as_str().unwrap(), c["section"].as_str().unwrap());
        user["classes"].as_array().unwrap().iter().map(label).collect()
    };
    assert_eq!(labels(&ben), ["AIML-B", "CSE-A"]);
    let users = school.run(&["--json", "admin", "user", "list"]).expect(0).json();
    assert_eq!((names(&users), &users["total"]), (vec!["ann", "ben"], &json!(2)));
    let shown = school.run(&["admin", "user", "list", "--role", "teacher"]).expect(0).out;
    assert!(shown.contains("AIML-B, CSE-A") && !shown.contains("ann"), "{shown}");

    let fewer = school.run(&["--json", "admin", "user", "classes", "ben", "--class", "CSE", "--section", "A"]);
    assert_eq!(labels(&fewer.expect(0).json()), ["CSE-A"]);
    assert!(labels(&school.run(&["--json", "admin", "user", "classes", "BEN", "--none"]).expect(0).json()).is_empty());
    let off = school.run(&["--json", "admin", "user", "deactivate", "ben"]).expect(0).json();
    assert_eq!(off["active"], false);
    assert_eq!(school.run(&["--json", "admin", "user", "activate", "ben"]).expect(0).json()["active"], true);
    assert_eq!(school.run(&["--json", "admin", "user", "role", "ben", "viewer"]).expect(0).json()["role"], "viewer");
    let before = &ben["password_changed_at"];
    let new = admin(&school, &["user", "password", "ben", "--password-stdin"], "another horse\n").expect(0).json();
    assert_ne!(&new["password_changed_at"], before);
}

#[test]
fn what_cannot_be_is_refused_with_its_code() {
    let school = School::with_roster();
    add(&school, "ann", &["--role", "admin"]).expect(0);
    assert_eq!(code(add(&school, "ANN", &["--role", "viewer"])), "NAME_TAKEN");
    let weak = |typed: &str| admin(&school, &["user", "add", "cat", "--role", "viewer", "--password-stdin"], typed);
    assert_eq!(code(weak("short\n")), "WEAK_PASSWORD");
    assert_eq!(code(weak("")), "WEAK_PASSWORD");
    assert_eq!(code(weak("password123\n")), "WEAK_PASSWORD");
    assert_eq!(code(school.run(&["--json", "admin", "user", "deactivate", "ann"])), "LAST_ADMIN");
    assert_eq!(code(school.run(&["--json", "admin", "user", "role", "ann", "teacher"])), "LAST_ADMIN");
    assert_eq!(code(school.run(&["--json", "admin", "user", "activate", "nobody"])), "USER_NOT_FOUND");
    assert_eq!(
        code(add(&school, "cat", &["--role", "teacher", "--class", "CSE", "--section", "Z"])),
        "CLASS_NOT_FOUND"
    );
    assert_eq!(code(add(&school, "cat", &["--role", "viewer", "--class", "CSE", "--section", "A"])), "INVALID_REQUEST");
    // Without a terminal nobody can be asked.
    let asked = school.run(&["--json", "admin", "user", "add", "cat", "--role", "viewer"]).expect(1);
    assert!(asked.err.contains("--password-stdin"), "{asked:?}");
    // A password is no argument, there is no role that machines could have, and classes are not lost by a typing mistake.
    school.run(&["admin", "user", "add", "cat", "--role", "viewer", "--password", PASSWORD]).expect(2);
    school.run(&["admin", "user", "add", "cat", "--role", "machine"]).expect(2);
    school.run(&["admin", "user", "classes", "ann"]).expect(2);
    assert_eq!(names(&school.run(&["--json", "admin", "user", "list"]).expect(0).json()), ["ann"]);
}

#[test]
fn a_token_is_printed_once_and_alone() {
    let school = School::empty();
    let made = school.run(&["admin", "token", "add", "bus", "--scope", "roster", "--scope", "record"]).expect(0);
    let token = made.out.trim_end();
    assert!(token.starts_with("rc_") && token.len() == 46 && !token.contains(char::is_whitespace), "{token:?}");
    assert!(made.err.contains("only now"), "{}", made.err);
    let short = ["--json", "admin", "token", "add", "gate", "--scope", "recognise", "--expires-days", "7"];
    let short = school.run(&short).expect(0).json();
    assert!(short["token"].as_str().unwrap().starts_with("rc_") && short["expires_at"].is_string(), "{short}");
    let list = school.run(&["--json", "admin", "token", "list"]).expect(0);
    assert!(!list.out.contains(token), "a token is not shown again");
    assert_eq!(names(&list.json()), ["gate", "bus"]);
    assert_eq!(list.json()["rows"][1]["scopes"], json!(["roster", "record"]));
    let id = list.json()["rows"][0]["id"].to_string();
    school.run(&["admin", "token", "revoke", &id]).expect(0);
    assert_eq!(code(school.run(&["--json", "admin", "token", "revoke", &id])), "TOKEN_NOT_FOUND");
    assert_eq!(names(&school.run(&["--json", "admin", "token", "list"]).expect(0).json()), ["bus"]);
    assert_eq!(names(&school.run(&["--json", "admin", "token", "list", "--all"]).expect(0).json()), ["gate", "bus"]);
    school.run(&["admin", "token", "add", "bus"]).expect(2);
}

#[test]
fn every_change_leaves_a_line_that_holds_no_secret() {
    let school = School::empty();
    add(&school, "ann", &["--role", "admin"]).expect(0);
    add(&school, "ben", &["--role", "viewer"]).expect(0);
    school.run(&["admin", "user", "role", "ben", "teacher"]).expect(0);
    admin(&school, &["user", "password", "ben", "--password-stdin"], "another horse\n").expect(0);
    let token = school.run(&["admin", "token", "add", "bus", "--scope", "manage"]).expect(0).out;
    school.run(&["admin", "token", "revoke", "1"]).expect(0);
    add(&school, "ANN", &["--role", "viewer"]).expect(1);
    let log = school.run(&["--json", "admin", "audit"]).expect(0);
    for secret in [PASSWORD, "another horse", token.trim_end()] {
        assert!(!log.out.contains(secret), "{secret} in {}", log.out);
    }
    let log = log.json();
    let lines: Vec<(&str, &str)> = (log["rows"].as_array().unwrap().iter())
        .map(|line| (line["actor"].as_str().unwrap(), line["action"].as_str().unwrap()))
        .collect();
    let expected = ["token.revoke", "token.create", "user.password", "user.change", "user.create", "user.create"];
    assert_eq!(lines, expected.map(|action| ("command line", action)));
    assert_eq!(log["rows"][3]["detail"], json!({ "role": ["viewer", "teacher"] }));
    let last = school.run(&["--json", "admin", "audit", "--last", "1"]).expect(0).json();
    assert_eq!((last["rows"].as_array().unwrap().len(), &last["total"]), (1, &json!(6)));
    assert_eq!(school.run(&["--json", "admin", "audit", "--action", "user"]).expect(0).json()["total"], 4);
    let shown = school.run(&["admin", "audit"]).expect(0).out;
    assert!(shown.contains("command line") && shown.contains("user 2"), "{shown}");
}
