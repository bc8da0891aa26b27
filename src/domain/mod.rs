//! What rollcall knows about faces, classes and attendance, as plain values and pure functions.
//!
//! Nothing here performs IO, reads a clock, or knows a database, a runtime or a neural network: now, seeds and ids are
//! passed in, so every rule can be tested with arithmetic alone. Everybody may import this layer; it imports nobody.

pub mod access;
pub mod advice;
pub mod assign;
pub mod attendance;
pub mod calibration;
pub mod class_label;
pub mod csv_table;
pub mod days;
pub mod decision;
pub mod detection_curve;
pub mod embedding;
pub mod enrolment_health;
pub mod enrolment_list;
pub mod evaluation;
pub mod face_size;
pub mod folder_name;
pub mod forgotten;
pub mod fusion;
pub mod gallery;
pub mod geometry;
pub mod head_count;
pub mod histogram;
pub mod ids;
pub mod interval;
pub mod learning;
pub mod leave;
pub mod manifest;
pub mod npy;
pub mod photo_guard;
pub mod photo_name;
pub mod photo_time;
pub mod pilot;
pub mod quality;
pub mod roster;
pub mod roster_diff;
pub mod score;
pub mod session_group;
pub mod sheet;
pub mod spelling;
pub mod statistics;
pub mod status;
pub mod template;
pub mod term;
pub mod timetable;
