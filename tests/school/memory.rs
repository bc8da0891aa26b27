//! The program on a machine with little memory, and what `bench` says of it.

use std::process::Command;

use image::imageops::{FilterType, resize};

use crate::support::{FULL, Photos, Ran, School, class_photo, jpeg};

/// The same command in a shell that the system gives no more than `mebibytes` of writable memory.
fn limited(command: &Command, mebibytes: u32) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -d {} && exec \"$0\" \"$@\"", mebibytes * 1024)]);
    shell.arg(command.get_program()).args(command.get_args());
    shell.env_clear().current_dir(command.get_current_dir().unwrap());
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
}

/// A class photo of the demo school with twelve megapixels.
fn twelve_megapixels() -> image::RgbImage {
    resize(&image::open(class_photo(FULL)).unwrap().into_rgb8(), 4242, 2828, FilterType::Triangle)
}

#[test]
fn five_hundred_megabytes_are_enough_for_photos_of_twelve_megapixels() {
    if !cfg!(target_os = "linux") {
        println!("skipped: only Linux limits the memory of a program in this way");
        return;
    }
    let school = School::enrolled();
    let (photos, picture) = (Photos::none(), twelve_megapixels());
    for (hour, quality) in (9..13).zip([80, 84, 88, 92]) {
        photos.add(&format!("CSE-A_2026-11-16_{hour:02}00.jpg"), &jpeg(&picture, quality));
    }
    let args = ["--json", "--memory-budget", "512MB", "batch", photos.path().to_str().unwrap()];
    let report = Ran::of(limited(&school.command(&args), 512).output().unwrap()).expect(0).json();
    for photo in report["photos"].as_array().unwrap() {
        assert_eq!((&photo["status"], &photo["width"]), (&"done".into(), &4242.into()), "{photo}");
        assert!(photo["faces"].as_array().unwrap().len() > 10, "{photo}");
    }
    // The limit is a real one.
    let refused =
        Ran::of(limited(&school.command(&["--json", "batch", photos.path().to_str().unwrap()]), 32).output().unwrap());
    assert_ne!(refused.code, 0, "{refused:?}");
}

#[test]
fn a_budget_is_a_number_of_megabytes() {
    let school = School::empty();
    for wrong in ["little", "0", "1.5GB", "5TB"] {
        assert_eq!(school.run(&["--memory-budget", wrong, "doctor"]).code, 2, "{wrong}");
    }
    let shown = school.run(&["--memory-budget", "2GB", "bench", "--help"]).expect(0).out;
    assert!(shown.contains("--memory-budget"), "{shown}");
}

#[test]
fn bench_counts_what_it_looked_at() {
    let school = School::empty();
    let page = school.path().join("speed.html");
    let photo = class_photo(FULL);
    let args = ["bench", photo.to_str().unwrap(), "--runs", "2", "--in-flight", "2", "--html", page.to_str().unwrap()];
    let report = school.run(&[&["--json"], &args[..]].concat()).expect(0).json();
    let speed = &report["speed"];
    assert_eq!((&speed["photos"], &speed["in_flight"]), (&2.into(), &2.into()));
    let faces = speed["faces"].as_u64().unwrap();
    assert!(faces > 20 && faces.is_multiple_of(2), "{speed}");
    assert_eq!((&report["pack"], &report["provider"]), (&"starter@0".into(), &"cpu".into()));
    let embedder = speed["nets"].as_array().unwrap().iter().find(|net| net["net"] == "embedder").unwrap();
    assert_eq!(embedder["items"], faces);
    let batches = embedder["batches"].as_object().unwrap();
    assert_eq!(batches.iter().map(|(size, n)| size.parse::<u64>().unwrap() * n.as_u64().unwrap()).sum::<u64>(), faces);
    let inside = speed["share_in_nets"].as_f64().unwrap();
    assert!(inside > 0.0 && inside <= 1.0, "{inside}");
    assert!(std::fs::read_to_string(page).unwrap().contains("ONNX Runtime"));
    assert_eq!(school.run(&["--json", "bench", "no-such.jpg"]).expect(1).json()["error"]["code"], "FILE_ERROR");
}
