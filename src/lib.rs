//! rollcall turns photos of a classroom into attendance: it detects every face, embeds it, matches it one to one against
//! the students of that class, writes the session and hands out the sheet.
//!
//! # Map
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`domain`] | what is known of faces, classes and attendance: values and pure functions |
//! | [`vision`] | pixels: decode, resample, align, measure, annotate; pure as well |
//! | [`pack`] | model packs: manifest, hashes, licence, bringing files here |
//! | [`engine`] | the only place that knows ONNX Runtime: nets behind threads, detectors, embedder |
//! | [`storage`] | where photos' bytes live: folders or a bucket |
//! | [`db`] | tables and queries |
//! | [`queue`] | durable jobs in the database, ignorant of what jobs do |
//! | [`export`] | sheets into Excel and CSV bytes, and back; pure |
//! | [`app`] | use cases: roster, enrolment, photo, session, review, learning, batch, rematch, report, dataset, users and tokens |
//! | [`http`] | the REST service: routes, who may call them, how errors look |
//! | [`cli`] | the command line |
//! | [`config`], [`telemetry`] | settings, logs and progress |
//!
//! # Who may import whom
//!
//! `domain` nobody; `vision`, `export`, `db` and `config` only `domain`; `pack` also `vision`; `engine` `domain`, `vision` and
//! `pack`; `storage` only `config`; `queue` only `db`; `app` all of these; `cli` everything. `ort` is known to `engine` alone,
//! `diesel` to `db` and `queue`, the S3 client to `storage`, `clap` to `cli`, the environment to `config`. A test
//! (`tests/layers`) holds this.
//!
//! # A photo's way
//!
//! [`app::batch`] finds it in a folder, [`app::photo::admit`] queues it. A [`queue::Runner`] of this program or
//! another claims it ([`app::work`]); `app::photo` has [`app::Recogniser`] look at it ([`vision::decode`],
//! [`engine::Engine::analyse`], [`vision::measure`]) and writes the faces; `app::session` settles its session
//! anew from all its faces ([`domain::fusion`], [`domain::attendance`]); [`app::report`] makes sheets of it.

pub mod app;
pub mod cli;
pub mod config;
pub mod db;
pub mod domain;
pub mod engine;
pub mod export;
pub mod http;
pub mod pack;
pub mod queue;
pub mod storage;
pub mod telemetry;
pub mod vision;
