//! rollcall turns photos of a classroom into attendance.

pub mod config;
pub mod db;
pub mod domain;
pub mod engine;
pub mod export;
pub mod pack;
pub mod storage;
pub mod telemetry;
pub mod vision;
