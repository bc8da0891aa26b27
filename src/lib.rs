//! rollcall turns photos of a classroom into attendance.

pub mod domain;
pub mod engine;
pub mod pack;
pub mod vision;
pub mod storage;
pub mod db;
pub mod export;
