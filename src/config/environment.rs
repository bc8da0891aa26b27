//! The environment as a layer of the settings. What is said of a setting that is text is text, whatever it looks like:
//! a term called 2026, a secret of digits. Everything else is read as figment reads it (`20`, `true`, `["10.0.0.0/8"]`).

use figment::providers::{Env, Serialized};
use figment::value::{Dict, Map, Value};
use figment::{Error, Metadata, Profile, Provider};

use super::Config;

/// What the names of our variables begin with.
const PREFIX: &str = "ROLLCALL_";
/// Between a section and its key.
const SEPARATOR: &str = "__";
/// Settings of text that have no default to tell so.
const TEXT_WITHOUT_DEFAULT: [&str; 4] = ["exports_dir", "database_url", "ort", "worker.listen"];

/// The variables that are ours: their keys, sections before a dot, and what was said.
#[derive(Debug, Clone, Default)]
pub(super) struct Environment(Vec<(String, String)>);

impl Environment {
    /// Of this process.
    pub(super) fn of_process() -> Self {
        let env = Env::prefixed(PREFIX).split(SEPARATOR);
        Self(env.iter().map(|(key, text)| (key.to_string(), text)).collect())
    }
}

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        let name = |_: &Profile, keys: &[&str]| {
            format!("{PREFIX}{}", keys.iter().map(|key| key.to_ascii_uppercase()).collect::<Vec<_>>().join(SEPARATOR))
        };
        Metadata::named("environment variable(s)").interpolater(name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let defaults =
            Value::from(Serialized::defaults(Config::default()).data()?.remove(&Profile::Default).unwrap_or_default());
        let mut said = Dict::new();
        for (key, text) in &self.0 {
            put(&mut said, key, value(&defaults, key, text));
        }
        Ok(Profile::Default.collect(said))
    }
}

/// What was said of a setting.
fn value(defaults: &Value, key: &str, text: &str) -> Value {
    let Ok(value) = text.parse::<Value>();
    let is_text = TEXT_WITHOUT_DEFAULT.contains(&key) || matches!(defaults.find_ref(key), Some(Value::String(..)));
    // Text in quotes is what is in the quotes.
    if is_text && !matches!(value, Value::String(..)) { Value::from(text.trim()) } else { value }
}

/// Puts a value in its section.
fn put(section: &mut Dict, key: &str, value: Value) {
    let Some((name, rest)) = key.split_once('.') else {
        section.insert(key.to_owned(), value);
        return;
    };
    let inner = section.entry(name.to_owned()).or_insert_with(|| Value::from(Dict::new()));
    // Where something was said of the section as if it were a setting, that is the mistake that will be told.
    if let Value::Dict(_, inner) = inner {
        put(inner, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigError, Overrides};

    fn with(said: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let said = said.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        Config::layered(None, &Overrides::default(), Environment(said))
    }

    #[test]
    fn text_is_text_whatever_it_looks_like() {
        const DIGITS: &str = "00420000000000000000000000000000000000000000000000000000000000e5";
        let config = with(&[
            ("term", "2026"),
            ("data_dir", "007"),
            ("exports_dir", "1"),
            ("database_url", "12"),
            ("pack", "1.50"),
            ("report.school", "true"),
            ("report.labels.present", "1"),
            ("report.labels.absent", "[]"),
            ("auth.secret", DIGITS),
            ("storage.s3.bucket", "0123"),
            ("storage.s3.prefix", "2026"),
            ("log.level", " 0 "),
        ])
        .unwrap();
        assert_eq!((config.term.as_str(), config.pack.as_str()), ("2026", "1.50"));
        assert_eq!((config.data_dir.to_str(), config.exports_dir.unwrap().to_str()), (Some("007"), Some("1")));
        assert_eq!(config.database_url.as_deref(), Some("12"));
        let labels = &config.report.labels;
        assert_eq!(
            (config.report.school.as_str(), labels.present.as_str(), labels.absent.as_str()),
            ("true", "1", "[]")
        );
        assert_eq!(config.auth.secret.expose(), Some(DIGITS));
        assert_eq!((config.storage.s3.bucket.as_str(), config.storage.s3.prefix.as_str()), ("0123", "2026"));
        assert_eq!(config.log.level, "0");
    }

    #[test]
    fn quotes_around_text_are_not_part_of_it_and_nothing_is_nothing() {
        let config =
            with(&[("term", "\"2026\""), ("report.school", "St. Mary's, Hill"), ("worker.listen", "")]).unwrap();
        assert_eq!((config.term.as_str(), config.report.school.as_str()), ("2026", "St. Mary's, Hill"));
        assert_eq!(config.worker.listen, None);
        assert_eq!(with(&[("term", "")]).unwrap().term, "");
    }

    #[test]
    fn numbers_lists_and_switches_are_read_as_such() {
        let config = with(&[
            ("photos.max_mb", "20"),
            ("threads", "3"),
            ("report.csv_bom", "false"),
            ("matching.member_prior", "0.25"),
            ("server.trusted_proxies", "[\"10.0.0.0/8\"]"),
            ("server.listen", "[::]:9000"),
            ("storage.s3.path_style", "true"),
        ])
        .unwrap();
        assert_eq!((config.photos.max_mb, config.threads.unwrap().get(), config.report.csv_bom), (20, 3, false));
        assert_eq!((config.matching.member_prior, config.server.trusted_proxies.len()), (0.25, 1));
        assert_eq!((config.server.listen.port(), config.storage.s3.path_style), (9000, true));
    }

    #[test]
    fn what_is_wrong_is_named_as_it_was_set() {
        let said = |key: &str, text: &str| with(&[(key, text)]).unwrap_err().to_string();
        assert!(said("photos.max_mb", "many").contains("ROLLCALL_PHOTOS__MAX_MB"), "{}", said("photos.max_mb", "many"));
        assert!(said("photos.max_megabytes", "3").contains("max_megabytes"));
        assert!(said("photos", "3").contains("ROLLCALL_PHOTOS"), "{}", said("photos", "3"));
        let secret = said("auth.secret", "123456789");
        assert!(secret.contains("9 characters long") && !secret.contains("123456789"), "{secret}");
    }

    /// A setting without a default is a number, or it is in the list.
    #[test]
    fn every_setting_of_text_is_known_as_one() {
        let defaults = Value::from(Serialized::defaults(Config::default()).data().unwrap()[&Profile::Default].clone());
        let mut empty = Vec::new();
        collect_empty(&defaults, "", &mut empty);
        let numbers = ["gpu.memory_limit_mb", "memory_budget_mb", "photos.in_flight", "threads"];
        let mut known: Vec<&str> = TEXT_WITHOUT_DEFAULT.iter().chain(&numbers).copied().collect();
        known.sort_unstable();
        empty.sort_unstable();
        assert_eq!(empty, known);
    }

    fn collect_empty(value: &Value, at: &str, empty: &mut Vec<String>) {
        match value {
            Value::Dict(_, section) => section.iter().for_each(|(key, value)| {
                let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                collect_empty(value, &at, empty);
            }),
            Value::Empty(..) => empty.push(at.to_owned()),
            _ => {}
        }
    }
}
