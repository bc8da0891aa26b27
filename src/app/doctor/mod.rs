//! Looks at everything a school needs and says of each thing whether it is well, and how to mend it if not.
//!
//! Changes nothing but a file that is written into each folder, and into the bucket, and removed again. What is found names counts, files and
//! versions, never people. A check never stops the ones after it.

mod bucket;
mod data;
pub(crate) mod recognition;

use std::path::Path;

use serde::Serialize;

use super::School;
use crate::config::{Config, FILE_NAME};

/// How bad something is; the worst of all decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Ok,
    /// Works, but not as hoped for.
    Warn,
    /// Something does not work.
    Fail,
}

/// What was found of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// One word for what was looked at.
    pub check: &'static str,
    pub state: State,
    pub found: String,
    /// What to do; always there unless all is well.
    pub remedy: Option<String>,
}

impl Check {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, state: State::Ok, found: found.into(), remedy: None }
    }

    fn warn(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, state: State::Warn, found: found.into(), remedy: Some(remedy.into()) }
    }

    fn fail(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, state: State::Fail, found: found.into(), remedy: Some(remedy.into()) }
    }
}

/// Every check, in the order in which things depend on each other.
pub async fn examine(config: &Config) -> Vec<Check> {
    let mut checks = vec![settings(config)];
    let database = data::database(config).await;
    let is_usable = database.iter().all(|check| check.state != State::Fail);
    checks.extend(database);
    if config.data_dir.is_dir() {
        checks.extend(data::folders(config));
        checks.push(data::disk(config));
    }
    checks.extend(bucket::checks(config).await);
    if is_usable {
        match School::open(config).await {
            Ok(school) => checks.extend(data::contents(&school).await),
            Err(e) => checks.push(Check::fail("database", e.message, "run `rollcall doctor` again")),
        }
    }
    let config = config.clone();
    let recognition = tokio::task::spawn_blocking(move || recognition::checks(&config)).await;
    checks.extend(recognition.unwrap_or_else(|stopped| {
        vec![Check::fail("nets", format!("the check stopped: {stopped}"), "report this with what stands above")]
    }));
    checks
}

/// The one check that can be made when the settings cannot be read.
pub fn unreadable_settings(what: String) -> Check {
    let remedy = format!(
        "correct {FILE_NAME}, the flag or the ROLLCALL_ variable that it names; nothing else can be checked before that"
    );
    Check::fail("settings", what, remedy)
}

fn settings(config: &Config) -> Check {
    let file = config.data_dir.join(FILE_NAME);
    let file = if file.is_file() { shown(&file) } else { "defaults, there is no settings file".to_owned() };
    if !config.data_dir.is_dir() {
        let remedy = "name the school's folder with --data-dir, or make one with `rollcall init`";
        return Check::fail("settings", format!("there is no folder {}", shown(&config.data_dir)), remedy);
    }
    Check::ok("settings", format!("{file}; time zone {}", config.time_zone))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
