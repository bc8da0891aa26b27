//! `deploy/backup.sh` and `deploy/restore.sh`, as an administrator runs them: a school is kept, lost, and brought back.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use tempfile::TempDir;

use crate::support::{FULL, LEFT, OTHER_CLASS, Photos, RIGHT, Ran, School, repository};

/// A script of deploy/ on a school, with the programs of this machine's Postgres.
fn script(name: &str, school: &School, args: &[&str]) -> Ran {
    let mut command = Command::new("bash");
    command.arg(repository().join("deploy").join(name)).args(args).env_clear().stdin(Stdio::null());
    command.env("PATH", path_with_postgres()).env("ROLLCALL", env!("CARGO_BIN_EXE_rollcall"));
    if crate::server().is_some() {
        command.env("ROLLCALL_DATABASE_URL", school.database_url());
    }
    Ran::of(command.output().unwrap())
}

fn path_with_postgres() -> String {
    let folder = Command::new("pg_config").arg("--bindir").output().expect("pg_config comes with libpq-dev");
    format!("{}:{}", String::from_utf8(folder.stdout).unwrap().trim(), std::env::var("PATH").unwrap())
}

/// A school with a session of each class, and where its backups are.
struct Kept {
    school: School,
    backups: TempDir,
}

impl Kept {
    fn new() -> Self {
        let school = School::enrolled();
        school.batch(&Photos::of(&[(LEFT, LEFT), (OTHER_CLASS, OTHER_CLASS)]), 0);
        Self { school, backups: tempfile::tempdir().unwrap() }
    }

    fn try_back_up(&self, more: &[&str]) -> Ran {
        let (school, to) = (self.school.path().to_str().unwrap(), self.backups.path().to_str().unwrap());
        script("backup.sh", &self.school, &[&["--data-dir", school, "--to", to], more].concat())
    }

    /// Makes a backup and returns its folder.
    #[track_caller]
    fn back_up(&self, more: &[&str]) -> PathBuf {
        let said = self.try_back_up(more).expect(0).out;
        said.split(": ").next().unwrap().into()
    }

    fn restore(&self, from: &Path, more: &[&str]) -> Ran {
        let (school, from) = (self.school.path().to_str().unwrap(), from.to_str().unwrap());
        script("restore.sh", &self.school, &[&["--data-dir", school, "--from", from], more].concat())
    }

    /// Database and photos are gone, as after a disk that failed: the server is there, and empty.
    fn lose(&self) {
        for folder in ["attendance_photos", "samples"] {
            fs::remove_dir_all(self.school.path().join(folder)).unwrap();
        }
        if crate::server().is_some() {
            self.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
        } else {
            for file in ["rollcall.db", "rollcall.db-wal", "rollcall.db-shm"] {
                let _ = fs::remove_file(self.school.path().join(file));
            }
        }
    }

    fn sql(&self, text: &str) {
        PgConnection::establish(&self.school.database_url()).unwrap().batch_execute(text).unwrap();
    }

    /// Everything that a teacher could ask for: registers of both classes, and the bytes of every stored picture.
    #[track_caller]
    fn substance(&self) -> (Vec<String>, BTreeMap<PathBuf, Vec<u8>>) {
        let register = |class: &str, section: &str| {
            let file = self.backups.path().join("register.csv");
            let days = ["--from", "2026-11-01", "--to", "2026-11-30", "--format", "csv"];
            let place = ["export", "--class", class, "--section", section, "-o", file.to_str().unwrap()];
            self.school.run(&[&place[..], &days].concat()).expect(0);
            let text = fs::read_to_string(&file).unwrap();
            fs::remove_file(&file).unwrap();
            text
        };
        let registers = vec![register("CSE", "A"), register("AIML", "B")];
        let mut pictures = BTreeMap::new();
        for folder in ["attendance_photos", "samples"] {
            files_below(self.school.path(), Path::new(folder), &mut pictures);
        }
        (registers, pictures)
    }
}

fn files_below(root: &Path, folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(root.join(folder)).into_iter().flatten() {
        let entry = entry.unwrap();
        let path = folder.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            files_below(root, &path, found);
        } else {
            found.insert(path, fs::read(entry.path()).unwrap());
        }
    }
}

/// Some photo of a backup.
fn a_photo(backup: &Path) -> PathBuf {
    let mut found = BTreeMap::new();
    files_below(backup, Path::new("photos/attendance_photos"), &mut found);
    backup.join(found.into_keys().next().unwrap())
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != ".lock");
    names.sort();
    names
}

#[test]
fn a_school_that_was_lost_comes_back_as_it_was() {
    let kept = Kept::new();
    let before = kept.substance();
    assert!(before.0[0].contains('P') && before.1.len() > 40, "{:?}", before.0);
    let backup = kept.back_up(&[]);
    assert_eq!(fs::metadata(&backup).unwrap().mode() & 0o077, 0, "faces are for the school's own user");
    kept.lose();
    kept.restore(&backup, &[]).expect(0);
    assert_eq!(kept.substance(), before);
    // Not only read: what was done is known, and what is new is worked on.
    let again = kept.school.batch(&Photos::of(&[(LEFT, LEFT), (RIGHT, RIGHT)]), 0);
    let statuses: Vec<_> = again["photos"].as_array().unwrap().iter().map(|p| p["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["duplicate", "done"]);
}

#[test]
fn a_live_school_is_replaced_only_when_told_and_is_kept_aside() {
    let kept = Kept::new();
    let (before, backup) = (kept.substance(), kept.back_up(&[]));
    kept.school.batch(&Photos::of(&[(FULL, FULL)]), 0);
    let later = kept.substance();
    assert_ne!(later, before);
    let refused = kept.restore(&backup, &[]).expect(1);
    assert!(refused.err.contains("--replace") && refused.err.contains("nothing was changed"), "{refused:?}");
    assert_eq!(kept.substance(), later);

    let done = kept.restore(&backup, &["--replace"]).expect(0);
    assert_eq!(kept.substance(), before);
    let aside = done.out.lines().find_map(|line| line.strip_prefix("what was there before is in ")).unwrap();
    let aside = Path::new(aside.split(';').next().unwrap());
    let mut pictures = BTreeMap::new();
    files_below(aside, Path::new("attendance_photos"), &mut pictures);
    files_below(aside, Path::new("samples"), &mut pictures);
    assert_eq!(pictures, later.1);
    let database = if crate::server().is_some() { "database.dump" } else { "rollcall.db" };
    assert!(aside.join(database).is_file(), "{:?}", names(aside));
}

#[test]
fn photos_that_others_keep_are_left_alone() {
    let kept = Kept::new();
    let (before, backup) = (kept.substance(), kept.back_up(&["--photos", "none"]));
    assert!(!backup.join("photos").exists());
    kept.school.batch(&Photos::of(&[(FULL, FULL)]), 0);
    let later = kept.substance();
    let refused = kept.restore(&backup, &["--replace"]).expect(1);
    assert!(refused.err.contains("holds no photos"), "{refused:?}");
    assert_eq!(kept.substance(), later);
    // Nor are they taken out of a backup that has them.
    for backup in [backup, kept.back_up(&[])] {
        kept.restore(&backup, &["--replace", "--photos", "none"]).expect(0);
        assert_eq!(kept.substance().1, later.1);
    }
    assert_eq!(kept.substance().0, later.0);
    assert_ne!(later.0, before.0);
}

#[test]
fn a_damaged_backup_replaces_nothing_and_is_not_built_upon() {
    let kept = Kept::new();
    let (before, backup) = (kept.substance(), kept.back_up(&[]));
    let photo = a_photo(&backup);
    let sound = fs::read(&photo).unwrap();
    let mut damaged = sound.clone();
    damaged[sound.len() / 2] ^= 1;
    fs::write(&photo, &damaged).unwrap();
    let refused = kept.restore(&backup, &["--replace"]).expect(1);
    assert!(refused.err.contains("is damaged"), "{refused:?}");
    let next = kept.try_back_up(&[]).expect(0);
    assert!(next.err.contains("not built upon"), "{next:?}");
    let next = PathBuf::from(next.out.split(": ").next().unwrap());
    assert_eq!(fs::read(next.join(photo.strip_prefix(&backup).unwrap())).unwrap(), sound);
    fs::remove_file(&photo).unwrap();
    kept.restore(&backup, &["--check"]).expect(1);
    fs::write(&photo, &sound).unwrap();
    kept.restore(&backup, &["--check"]).expect(0);
    fs::write(backup.join("photos/unlisted.jpg"), &sound).unwrap();
    let refused = kept.restore(&backup, &["--replace"]).expect(1);
    assert!(refused.err.contains("files that its list does not name"), "{refused:?}");
    assert_eq!(kept.substance(), before);
    assert!(names(kept.school.path()).iter().all(|n| !n.contains("restor")), "{:?}", names(kept.school.path()));
}

#[test]
fn a_school_that_somebody_uses_is_not_replaced() {
    let kept = Kept::new();
    let (before, backup) = (kept.substance(), kept.back_up(&[]));
    let url = kept.school.database_url();
    let used: Box<dyn std::any::Any> = match crate::server() {
        Some(_) => Box::new(PgConnection::establish(&url).unwrap()),
        None => Box::new(fs::File::open(kept.school.path().join("rollcall.db")).unwrap()),
    };
    let refused = kept.restore(&backup, &["--replace"]).expect(1);
    assert!(refused.err.contains("stop server and workers"), "{refused:?}");
    drop(used);
    assert_eq!(kept.substance(), before);
}

#[test]
fn the_newest_backups_are_kept_and_share_their_photos() {
    let kept = Kept::new();
    let stranger = kept.backups.path().join("letters");
    fs::create_dir(&stranger).unwrap();
    let made: Vec<PathBuf> = (0..3).map(|_| kept.back_up(&["--keep", "2"])).collect();
    let expected: Vec<_> = made[1..].iter().map(|p| p.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names(kept.backups.path()), [&["letters"][..], &expected].concat());
    if Command::new("rsync").arg("--version").stdout(Stdio::null()).status().is_ok() {
        let photo = a_photo(&made[2]);
        let same = made[1].join(photo.strip_prefix(&made[2]).unwrap());
        assert_eq!(fs::metadata(photo).unwrap().ino(), fs::metadata(same).unwrap().ino());
    } else {
        eprintln!("skipped: without rsync every backup has photos of its own");
    }
    kept.restore(&made[2], &["--check"]).expect(0);
}

#[test]
fn a_backup_says_what_is_wrong_and_leaves_nothing_half_done() {
    let kept = Kept::new();
    let (school, to) = (kept.school.path().to_str().unwrap(), kept.backups.path());
    let nowhere = script("backup.sh", &kept.school, &["--data-dir", "/nowhere/at-all", "--to", to.to_str().unwrap()]);
    assert!(nowhere.expect(1).err.contains("no data folder /nowhere/at-all"));
    assert!(kept.try_back_up(&["--keep", "0"]).expect(1).err.contains("at least one"));
    let elsewhere = tempfile::tempdir().unwrap();
    let moved = elsewhere.path().join("attendance_photos");
    fs::rename(kept.school.path().join("attendance_photos"), &moved).unwrap();
    assert!(kept.try_back_up(&[]).expect(0).err.contains("2 of the newest 22 photos"));
    fs::rename(kept.school.path().join("samples"), elsewhere.path().join("samples")).unwrap();
    assert!(kept.try_back_up(&[]).expect(1).err.contains("none of the newest photos"));
    assert_eq!(names(to).len(), 1);
    kept.try_back_up(&["--photos", "none"]).expect(0);
    for backup in names(to) {
        fs::remove_dir_all(to.join(backup)).unwrap();
    }
    assert!(kept.try_back_up(&["--photos", "tape"]).expect(1).err.contains("s3://BUCKET"));
    script("backup.sh", &kept.school, &["--data-dir", school]).expect(2);
    if crate::server().is_some() {
        kept.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    } else {
        fs::write(kept.school.path().join("rollcall.db"), "no database").unwrap();
    }
    kept.try_back_up(&[]).expect(1);
    assert_eq!(names(to), [""; 0]);
    let refused = kept.restore(to, &["--replace"]).expect(1);
    assert!(refused.err.contains("no backup that this program can read"), "{refused:?}");
}

/// `rollcall admin backup`, which the script uses for SQLite.
#[test]
fn the_program_copies_a_file_and_leaves_servers_to_their_own_tools() {
    let kept = Kept::new();
    let file = kept.backups.path().join("copy.db");
    let copy = |code| kept.school.run(&["admin", "backup", file.to_str().unwrap()]).expect(code);
    if crate::server().is_some() {
        assert!(copy(1).err.contains("pg_dump"));
        assert!(!file.exists());
        return;
    }
    assert!(copy(0).out.contains("copy.db"));
    let whole = fs::read(&file).unwrap();
    assert!(copy(1).err.contains("there is such a file already"));
    assert_eq!(fs::read(&file).unwrap(), whole);
}
