//! `rollcall init`: a data folder with an empty database.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::Outcome;
use super::output::Output;
use crate::app::School;
use crate::app::error::Error;
use crate::config::{Config, FILE_NAME};

#[derive(Debug, clap::Args)]
pub(super) struct InitArgs {
    /// The school's time zone, an IANA name such as Asia/Kolkata
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    time_zone: chrono_tz::Tz,
    /// The term that classes belong to, for example 2026-27
    #[arg(long, value_name = "TERM", default_value = "")]
    term: String,
    /// Name of the school, for the heads of sheets
    #[arg(long, value_name = "NAME", default_value = "")]
    school: String,
}

pub(super) async fn run(args: &InitArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let dir = &config.data_dir;
    for folder in ["dataset", "attendance_photos", "exports", "models"] {
        let folder = dir.join(folder);
        fs::create_dir_all(&folder).map_err(|e| Error::file(&folder, &e))?;
    }
    let settings = dir.join(FILE_NAME);
    if !settings.exists() {
        fs::write(&settings, settings_text(args)).map_err(|e| Error::file(&settings, &e))?;
    }
    School::create(config).await?;
    output.result(
        &json!({ "data_dir": dir, "database": crate::config::redacted(&config.database_url()), "settings": settings }),
        next_steps(dir),
    );
    Ok(Outcome::Done)
}

fn settings_text(args: &InitArgs) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    format!(
        "# Settings of this school. Flags and ROLLCALL_* variables win over this file; the README lists every key.\n\
         time_zone = {}\nterm = {}\n\n[report]\nschool = {}\n",
        quoted(args.time_zone.name()),
        quoted(&args.term),
        quoted(&args.school),
    )
}

fn next_steps(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "{dir} is ready. Next:\n  \
         rollcall --data-dir {dir} roster import students.csv\n  \
         rollcall --data-dir {dir} enrol portraits/ --consent recorded\n  \
         rollcall --data-dir {dir} batch photos/"
    )
}
