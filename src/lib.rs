//! rollcall turns photos of a classroom into attendance.

pub mod db;
pub mod domain;
pub mod engine;
pub mod export;
pub mod pack;
pub mod storage;
pub mod vision;
