//! Who may import whom. Reads every file of `src/` and holds its paths against the one table below.
//!
//! A layer may always use itself; items under `#[cfg(test)]` and files in folders called `tests` are exempt, because tests may
//! reach across layers.

mod paths;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use walkdir::WalkDir;

use paths::{Reference, paths_of};

/// Layer -> the layers it may import: the table of the design, with its two leaves spelt out.
const MAY_IMPORT: &[(&str, &str)] = &[
    ("domain", ""),
    ("vision", "domain"),
    ("pack", "domain vision"),
    ("engine", "domain vision pack config telemetry"),
    ("storage", "config telemetry"),
    ("export", "domain"),
    ("db", "domain config telemetry"),
    ("queue", "db config telemetry"),
    ("app", "domain vision pack engine storage db queue export config telemetry"),
    ("http", "app domain db queue config telemetry"),
    ("cli", "domain vision pack engine storage db queue export app http config telemetry"),
    ("main", "cli config telemetry"),
    // The leaves know no layer that does anything: settings speak of domain values, telemetry reads its own settings.
    ("config", "domain"),
    ("telemetry", "config"),
    ("lib", ""),
];

/// A path that begins like this may stand only in these places (files or folders, relative to `src/`). The first line
/// that fits counts.
const ONLY_IN: &[(&[&str], &[&str])] = &[
    (&["ort"], &["engine"]),
    (&["ort_sys"], &["engine"]),
    (&["diesel"], &["db", "queue"]),
    (&["diesel_migrations"], &["db", "queue"]),
    (&["libsqlite3_sys"], &["db", "queue"]),
    (&["axum"], &["http"]),
    (&["aws_sdk_s3"], &["storage/s3"]),
    (&["aws_config"], &["storage/s3"]),
    (&["clap"], &["cli", "main.rs"]),
    (&["ureq"], &["pack/fetch"]),
    (&["rustls"], &["pack/fetch"]),
    (&["argon2"], &["app/auth"]),
    (&["jsonwebtoken"], &["app/auth"]),
    (&["hmac"], &["app/auth"]),
    (&["console"], &["cli"]),
    // Workbooks that come back are archives; tests open others. Archives of portraits are read where they are enrolled.
    (
        &["zip"],
        &[
            "pack/fetch",
            "app/enrol/archive.rs",
            "app/enrol/archive",
            "app/enrol/archive_job/tests.rs",
            "app/enrol/upload/tests.rs",
            "http/resources/imports/tests.rs",
            "export/returned/workbook.rs",
            "export/returned/tests.rs",
            "export/xlsx/tests.rs",
        ],
    ),
    (&["calamine"], &["export/returned", "export/xlsx/tests.rs"]),
    // Facts of the platform, known when the program is compiled.
    (&["std", "env", "consts"], &[""]),
    // `main` hands the arguments on and reads nothing else.
    (&["std", "env", "args"], &["config.rs", "main.rs"]),
    (&["std", "env", "args_os"], &["config.rs", "main.rs"]),
    (&["std", "env"], &["config.rs"]),
];

#[test]
fn every_layer_imports_only_what_it_may() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut broken = String::new();
    let mut imports_seen = 0;
    for entry in WalkDir::new(&src).sort_by_file_name() {
        let entry = entry.unwrap();
        let Some(file) = entry.path().strip_prefix(&src).unwrap().to_str().filter(|f| f.ends_with(".rs")) else {
            continue;
        };
        // Modules of tests lie in folders of that name.
        if file.contains("/tests/") {
            continue;
        }
        let text = fs::read_to_string(entry.path()).unwrap();
        imports_seen += paths_of(file, &text).iter().filter(|path| path.segments[0] == "crate").count();
        for Violation { line, rule } in violations(file, &text) {
            writeln!(broken, "  src/{file}:{line}: {rule}").unwrap();
        }
    }
    assert!(broken.is_empty(), "the layer rule is broken:\n{broken}");
    assert!(imports_seen > 0, "no import was seen in {}: is the reader of paths broken?", src.display());
}

struct Violation {
    line: usize,
    rule: String,
}

fn violations(file: &str, text: &str) -> Vec<Violation> {
    let layer = layer_of(file);
    let Some((_, may_import)) = MAY_IMPORT.iter().find(|(name, _)| *name == layer) else {
        let rule =
            format!("{layer} is no layer; add it to the table of tests/layers/main.rs and say what it may import");
        return vec![Violation { line: 1, rule }];
    };
    paths_of(file, text)
        .into_iter()
        .filter_map(|path| Some(Violation { rule: broken_rule(file, layer, may_import, &path)?, line: path.line }))
        .collect()
}

/// What `path` breaks when it stands in `file`.
fn broken_rule(file: &str, layer: &str, may_import: &str, path: &Reference) -> Option<String> {
    let segments: Vec<&str> = path.segments.iter().map(String::as_str).collect();
    let target = match segments[..] {
        ["crate", target, ..] => Some(target),
        ["rollcall", target, ..] if layer == "main" => Some(target),
        _ => None,
    };
    if let Some(target) = target {
        let allowed = target == layer || may_import.split(' ').any(|layer| layer == target);
        let list = if may_import.is_empty() { "nothing" } else { may_import };
        return (!allowed).then(|| format!("{layer} must not import {target} ({layer} may import {list})"));
    }
    let (prefix, places) = ONLY_IN.iter().find(|(prefix, _)| segments.starts_with(prefix))?;
    let allowed = places.iter().any(|place| Path::new(file).starts_with(place));
    (!allowed).then(|| format!("{} belongs only in src/{}", prefix.join("::"), places.join(" and src/")))
}

/// `engine/mtcnn.rs` -> `engine`, `config.rs` -> `config`.
fn layer_of(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

/// The checker's own tests, on small files.
mod checker {
    use super::paths::paths_of;
    use super::violations;

    const NOTHING: [&str; 0] = [];

    /// `LINE RULE` of each violation.
    fn broken(file: &str, text: &str) -> Vec<String> {
        violations(file, text).into_iter().map(|found| format!("{} {}", found.line, found.rule)).collect()
    }

    fn paths(file: &str, text: &str) -> Vec<String> {
        paths_of(file, text).into_iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn forbidden_import_is_named_with_its_line() {
        let found = broken("domain/score.rs", "//! Scores.\n\nuse crate::db::Db;\n");
        assert_eq!(found, ["3 domain must not import db (domain may import nothing)"]);
    }

    #[test]
    fn allowed_imports_pass() {
        let text =
            "use crate::domain::ids::PhotoId;\nuse crate::queue::store;\nfn f() -> crate::app::Error { todo!() }\n";
        assert_eq!(broken("app/photo.rs", text), NOTHING);
    }

    #[test]
    fn paths_in_bodies_count_like_imports() {
        let text = "fn f() {\n    if true { crate::http::serve(); }\n}\n";
        assert_eq!(
            broken("queue/mod.rs", text),
            ["2 queue must not import http (queue may import db config telemetry)"]
        );
    }

    #[test]
    fn nested_groups_are_followed_to_their_leaves() {
        let text = "use crate::{\n    domain::{ids::{A, B as C}, score},\n    db,\n    vision::*,\n};\nuse std::fmt;\n";
        let expected = [
            "crate::domain::ids::A",
            "crate::domain::ids::B",
            "crate::domain::score",
            "crate::db",
            "crate::vision",
            "std::fmt",
        ];
        assert_eq!(paths("pack/mod.rs", text), expected);
        let found = broken("pack/mod.rs", text);
        assert_eq!(found, ["3 pack must not import db (pack may import domain vision)"]);
    }

    #[test]
    fn super_chains_cannot_climb_into_another_layer() {
        assert_eq!(
            paths("engine/mtcnn.rs", "use super::super::db::Db;\nuse super::net;"),
            ["crate::db::Db", "crate::engine::net"]
        );
        assert_eq!(broken("engine/mtcnn.rs", "use super::super::db::Db;\n").len(), 1);
        assert_eq!(broken("engine/mod.rs", "mod inner { use super::stage; }\nuse self::stage::Stage;\n"), NOTHING);
        assert_eq!(broken("engine/mod.rs", "mod inner { use super::super::http::x; }\n").len(), 1);
    }

    #[test]
    fn comments_strings_and_chars_hold_no_paths() {
        let text = r###"
            /// See [`crate::http`] and `crate::db::x`. /* crate::app */
            /* crate::db::a /* crate::db::b */ crate::db::c */
            const A: &str = "crate::db::d \" crate::db::e";
            const B: &str = r#"crate::db::f " crate::db::g"#;
            const C: (char, u8, char) = ('"', b'\'', '\\');
            fn f<'a>(x: &'a str) -> &'a str { x }
            use crate::storage::Key;
        "###;
        assert_eq!(paths("domain/x.rs", text), ["crate::storage::Key"]);
    }

    #[test]
    fn tests_may_reach_across_layers_but_what_follows_them_may_not() {
        let text =
            "#[cfg(test)]\nmod tests {\n    use crate::db::Db;\n    fn f() { ort::x(); }\n}\nuse crate::app::Error;\n";
        assert_eq!(broken("domain/x.rs", text), ["6 domain must not import app (domain may import nothing)"]);
        let field = "struct S { #[cfg(test)] a: u8 }\nuse crate::db::C;\n";
        assert_eq!(broken("domain/x.rs", field).len(), 1);
        assert_eq!(broken("domain/x.rs", "#[cfg(test)]\nuse crate::db::{A, B};\nuse crate::db::C;\n").len(), 1);
        assert_eq!(
            broken("domain/x.rs", "#[cfg(test)]\n#[allow(x)]\nfn f() { crate::db::y() }\nfn g() { crate::db::y() }")
                .len(),
            1
        );
    }

    #[test]
    fn outside_crates_stay_in_their_layer() {
        for (file, text) in [
            ("app/photo.rs", "use ort::session::Session;"),
            ("app/photo.rs", "fn f(x: diesel::SqliteConnection) {}"),
            ("cli/mod.rs", "use axum;"),
            ("storage/local.rs", "use {std::fs, aws_sdk_s3::Client};"),
            ("config.rs", "#[derive(clap::ValueEnum)]\nenum Provider {}"),
        ] {
            assert_eq!(broken(file, text).len(), 1, "{file}: {text}");
        }
        for (file, text) in [
            ("engine/net.rs", "use ort::session::Session;"),
            ("db/mod.rs", "use diesel::prelude::*;"),
            ("storage/s3/mod.rs", "use aws_sdk_s3::Client;"),
            ("main.rs", "use clap::Parser;"),
            ("cli/batch.rs", "use clap::Args;"),
            ("app/photo.rs", "fn f(settings: &Settings) { open(settings.ort, settings.report::<u8>()); }"),
        ] {
            assert_eq!(broken(file, text), NOTHING, "{file}: {text}");
        }
    }

    #[test]
    fn only_config_reads_the_environment() {
        assert_eq!(broken("app/photo.rs", "use std::{env, fs};"), ["1 std::env belongs only in src/config.rs"]);
        assert_eq!(broken("engine/runtime.rs", "fn f() { ::std::env::var(\"X\"); }").len(), 1);
        assert_eq!(broken("engine/runtime.rs", "const D: &str = std::env::consts::DLL_SUFFIX;"), NOTHING);
        assert_eq!(broken("config.rs", "use std::env;"), NOTHING);
        assert_eq!(broken("main.rs", "fn main() { std::env::args_os(); }"), NOTHING);
        assert_eq!(broken("main.rs", "fn main() { std::env::var(\"X\"); }").len(), 1);
        assert_eq!(broken("app/photo.rs", "const V: &str = env!(\"CARGO_PKG_VERSION\");"), NOTHING);
    }

    #[test]
    fn the_binary_is_a_layer_like_any_other() {
        assert_eq!(broken("main.rs", "use rollcall::{cli, config::Config, telemetry};"), NOTHING);
        let found = broken("main.rs", "fn main() { rollcall::db::open() }");
        assert_eq!(found, ["1 main must not import db (main may import cli config telemetry)"]);
    }

    #[test]
    fn new_folder_of_src_must_enter_the_table() {
        assert_eq!(broken("helpers/mod.rs", "").len(), 1);
        assert_eq!(broken("domain/x.rs", "use crate::helpers::x;").len(), 1);
    }
}
