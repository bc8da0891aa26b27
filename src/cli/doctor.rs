//! `rollcall doctor`: one line for each thing, and how to mend what is not well.

use serde_json::json;

use super::Outcome;
use super::output::{Output, count};
use crate::app::doctor::{self, Check, State};
use crate::app::error::Error;
use crate::config::Config;

pub(super) async fn run(config: &Config, output: &Output) -> Result<Outcome, Error> {
    Ok(told(&doctor::examine(config).await, output))
}

/// The settings cannot be read, so that there is nothing else to look at.
pub(super) fn without_settings(what: String, output: &Output) -> Outcome {
    told(&[doctor::unreadable_settings(what)], output)
}

fn told(checks: &[Check], output: &Output) -> Outcome {
    let worst = checks.iter().map(|check| check.state).max().unwrap_or(State::Ok);
    output.result(&json!({ "state": worst, "checks": checks }), described(checks, worst));
    match worst {
        State::Ok => Outcome::Done,
        State::Warn => Outcome::SomeFailed,
        State::Fail => Outcome::Broken,
    }
}

fn described(checks: &[Check], worst: State) -> String {
    let mut text = String::new();
    for Check { check, state, found, remedy } in checks {
        let word = match state {
            State::Ok => "ok",
            State::Warn => "warn",
            State::Fail => "FAIL",
        };
        text += &format!("{word:<6}{check:<10}{found}\n");
        if let Some(remedy) = remedy {
            text += &format!("{:16}-> {remedy}\n", "");
        }
    }
    let of = |state| checks.iter().filter(|check| check.state == state).count();
    text += &match worst {
        State::Ok => "\nall is well".to_owned(),
        State::Warn => format!("\n{}, nothing is broken", count(of(State::Warn), "warning")),
        State::Fail => format!("\n{} must be mended", count(of(State::Fail), "thing")),
    };
    text
}
