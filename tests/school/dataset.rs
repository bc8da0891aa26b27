//! Embeddings and portraits in and out: `.npy` files of other systems, `export dataset`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{FULL, Photos, School};

const ABENA: &str = "Abena_Pebblebrook_CSE-A-02";

fn export(school: &School, dir: &Path, more: &[&str], code: i32) -> Value {
    let args = ["--json", "export", "dataset", "-o", dir.to_str().unwrap()];
    school.run(&[args.as_slice(), more].concat()).expect(code).json()
}

fn import(school: &School, dir: &Path, pack: &str, code: i32) -> Value {
    let args = ["--json", "enrol", dir.to_str().unwrap(), "--npy-pack", pack, "--consent", "recorded"];
    school.run(&args).expect(code).json()
}

#[test]
fn dataset_goes_out_and_its_embeddings_alone_recognise_the_class_elsewhere() {
    let school = School::enrolled();
    let dir = school.path().join("out");
    let first = export(&school, &dir, &[], 0);
    assert_eq!((&first["students"], &first["files_written"]), (&json!(48), &json!(144)));
    for file in ["face.jpg", "face_2.jpg", "face_embedding.starter.npy"] {
        assert!(dir.join(ABENA).join(file).is_file(), "{file}");
    }
    let again = export(&school, &dir, &[], 0);
    assert_eq!((&again["files_written"], &again["files_unchanged"]), (&json!(0), &json!(144)));

    let other = School::with_roster();
    let report = import(&other, &dir, "starter", 0);
    assert_eq!((&report["students_enrolled"], report["photos"].as_array().unwrap().len()), (&json!(48), 48));
    assert!(import(&other, &dir, "starter", 0)["photos"].as_array().unwrap().iter().all(|p| p["status"] == "known"));
    let present = |school: &School| school.batch(&Photos::of(&[(FULL, FULL)]), 0)["sessions"][0]["present"].clone();
    assert_eq!(present(&other), present(&school));

    let re_embedded = other.run(&["--json", "enrol", "--re-embed"]).expect(0).json();
    assert_eq!(re_embedded["warnings"], json!([]), "they are of this pack already");
}

#[test]
fn export_writes_anew_what_is_its_own_and_leaves_alone_what_is_not() {
    let school = School::enrolled();
    let dir = school.path().join("out");
    let class = ["--class", "CSE", "--section", "A"];
    fs::create_dir_all(dir.join(ABENA)).unwrap();
    fs::write(dir.join(ABENA).join("face.jpg"), "somebody else's").unwrap();
    let report = export(&school, &dir, &class, 3);
    assert_eq!(report["problems"][0]["path"], format!("{ABENA}/face.jpg"));
    assert_eq!(report["files_written"], 28 * 3 - 1);
    assert_eq!(fs::read(dir.join(ABENA).join("face.jpg")).unwrap(), b"somebody else's");

    // A portrait more changes the template: that file is the export's own.
    let npy = dir.join(ABENA).join("face_embedding.starter.npy");
    let before = fs::read(&npy).unwrap();
    let more = school.path().join("more");
    fs::create_dir_all(more.join(ABENA)).unwrap();
    fs::copy(&npy, more.join(ABENA).join("face_embedding.npy")).unwrap();
    import(&school, &more, "starter", 0);
    let report = export(&school, &dir, &class, 3);
    assert_eq!((&report["files_written"], report["problems"].as_array().unwrap().len()), (&json!(1), 1));
    assert_ne!(fs::read(&npy).unwrap(), before);

    fs::write(&npy, "somebody has edited it").unwrap();
    assert_eq!(export(&school, &dir, &class, 3)["problems"].as_array().unwrap().len(), 2);
    assert_eq!(fs::read(&npy).unwrap(), b"somebody has edited it");
}

#[cfg(unix)]
#[test]
fn export_stays_in_its_folder_whatever_the_roster_says() {
    let school = School::empty();
    let roster = school.path().join("roster.csv");
    let rows = "CSE,A,../../evil,../x,P1,,yes\nCSE,A,Twin,1,P2,,yes\nAIML,B,twin,1,P3,,yes\n";
    fs::write(&roster, format!("class,section,name,roll_no,prn,email,consent\n{rows}")).unwrap();
    school.run(&["roster", "import", roster.to_str().unwrap()]).expect(0);
    let list = school.path().join("list.csv");
    let face = |folder: &str| crate::support::demo("dataset").join(folder).join("face.jpg").display().to_string();
    let rows = [("P1", face(ABENA)), ("P2", face("Jiro_Orchardly_CSE-A-11")), ("P3", face("Aiko_Silverpen_AIML-B-01"))];
    let rows: String = rows.iter().map(|(prn, image)| format!("{prn},{image}\n")).collect();
    fs::write(&list, format!("prn,image\n{rows}")).unwrap();
    school.run(&["enrol", "--csv", list.to_str().unwrap()]).expect(0);

    let outside = tempfile::tempdir().unwrap();
    let dir = outside.path().join("out");
    fs::create_dir_all(&dir).unwrap();
    let report = export(&school, &dir, &[], 3);
    assert_eq!(report["problems"][0]["error"]["code"], "AMBIGUOUS_NAME", "two students, one folder");
    assert_eq!((&report["students"], report["problems"].as_array().unwrap().len()), (&json!(1), 1));
    let names = |dir: &Path| -> Vec<PathBuf> { fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect() };
    assert_eq!(names(outside.path()), std::slice::from_ref(&dir), "nothing beside the folder");
    assert_eq!(export(&school, &dir, &["--class", "CSE", "--section", "A"], 0)["students"], 2);

    let elsewhere = outside.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::remove_dir_all(dir.join("Twin_1")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, dir.join("Twin_1")).unwrap();
    export(&school, &dir, &["--class", "CSE", "--section", "A"], 3);
    assert_eq!(names(&elsewhere), [] as [PathBuf; 0], "a link is not followed");
}

#[test]
fn npy_files_that_are_no_embedding_of_the_pack_are_refused_with_the_reason() {
    let school = School::with_roster();
    let dir = school.path().join("npy");
    let student = dir.join(ABENA);
    fs::create_dir_all(&student).unwrap();
    let file = student.join("face_embedding.npy");
    let refusal = |values: &[f32]| {
        fs::write(&file, rollcall::domain::npy::write(values)).unwrap();
        let error = import(&school, &dir, "starter", 3)["photos"][0]["error"].clone();
        assert_eq!(error["code"], "INVALID_EMBEDDING");
        error["message"].as_str().unwrap().to_owned()
    };
    assert!(refusal(&[1.0; 128]).contains("128 dimensions, the pack has 512"));
    assert!(refusal(&[0.0; 512]).contains("every value is zero"));
    assert!(refusal(&[f32::NAN; 512]).contains("not a finite number"));
    fs::write(&file, "no array").unwrap();
    assert_eq!(import(&school, &dir, "starter", 3)["photos"][0]["error"]["code"], "INVALID_EMBEDDING");
    let unknown = ["--json", "enrol", dir.to_str().unwrap(), "--npy-pack", "../starter"];
    assert_eq!(school.run(&unknown).expect(1).json()["error"]["code"], "MODEL_NOT_LOADED");

    fs::write(&file, rollcall::domain::npy::write(&[1.0; 512])).unwrap();
    let without = ["--json", "enrol", dir.to_str().unwrap(), "--npy-pack", "starter"];
    assert_eq!(School::with_roster().run(&without).expect(3).json()["photos"][0]["error"]["code"], "CONSENT_REQUIRED");
}

#[test]
fn vectors_without_a_picture_are_named_when_the_school_changes_packs() {
    let school = School::with_roster();
    let dir = school.path().join("npy");
    fs::create_dir_all(dir.join(ABENA)).unwrap();
    fs::write(dir.join(ABENA).join("face_embedding.npy"), rollcall::domain::npy::write(&[1.0; 512])).unwrap();
    import(&school, &dir, "starter", 0);
    let models = school.path().join("models/second");
    fs::create_dir_all(&models).unwrap();
    for entry in fs::read_dir(crate::support::repository().join("models/starter")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), models.join(entry.file_name())).unwrap();
    }
    let manifest = fs::read_to_string(models.join("pack.toml")).unwrap();
    fs::write(models.join("pack.toml"), manifest.replace("id = \"starter\"", "id = \"second\"")).unwrap();
    let report = school.run(&["--json", "--pack", "second", "enrol", "--re-embed"]).expect(0).json();
    let warning = report["warnings"][0].as_str().unwrap();
    assert!(warning.contains("PRN2026CS1014") && warning.contains("without a picture"), "{warning}");
}

#[test]
fn numpy_reads_what_is_written_and_what_numpy_writes_is_read() {
    let python = |code: &str, file: &Path| Command::new("python3").args(["-c", code]).arg(file).output();
    if !python("import numpy", Path::new("")).is_ok_and(|ran| ran.status.success()) {
        eprintln!("skipped: python3 with numpy is not here, so its files were not compared");
        return;
    }
    let school = School::enrolled();
    let out = school.path().join("out");
    export(&school, &out, &[], 0);
    let run = |code: &str, file: &Path| {
        let ran = python(code, file).unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    };
    let read =
        "import sys, numpy as np; a = np.load(sys.argv[1]); print(a.shape, a.dtype.str, round(float((a*a).sum()), 4))";
    assert_eq!(run(read, &out.join(ABENA).join("face_embedding.starter.npy")), "(512,) <f4 1.0");

    let dir = school.path().join("npy");
    fs::create_dir_all(dir.join(ABENA)).unwrap();
    let file = dir.join(ABENA).join("face_embedding.npy");
    let write = |array: &str| {
        let code = format!("import sys, numpy as np; np.save(sys.argv[1], {array})");
        run(&code, &file);
    };
    let other = School::with_roster();
    for array in
        ["np.ones(512, '<f4')", "np.full((1, 512), 2, '<f4')", "np.linspace(1, 2, 1024).reshape(2, 512).astype('<f4')"]
    {
        write(array);
        assert_eq!(import(&other, &dir, "starter", 0)["photos"][0]["status"], "enrolled", "{array}");
    }
    for array in [
        "np.ones(512)",
        "np.asfortranarray(np.ones((2, 512), '<f4'))",
        "np.ones((1, 1, 512), '<f4')",
        "np.ones(512, '>f4')",
    ] {
        write(array);
        let error = import(&other, &dir, "starter", 3)["photos"][0]["error"].clone();
        assert_eq!(error["code"], "INVALID_EMBEDDING", "{array}");
    }
}
