//! The service as a client uses it: the examples of `deploy/examples`, run against the real program.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::{FULL, LEFT, RIGHT, Ran, School, class_photo, demo, repository};

pub(crate) const PASSWORD: &str = "correct horse battery";

/// A server on a school, and the workers beside it; ended with the value.
pub(crate) struct Service {
    pub(crate) url: String,
    /// The workers, then the server.
    pub(crate) processes: Vec<Child>,
}

impl Service {
    /// `workers` programs of their own; none means that the server looks at photos itself.
    pub(crate) fn start(school: &School, workers: usize) -> Self {
        let beside: &[&str] = if workers == 0 { &["--with-worker"] } else { &[] };
        let mut serve = school.command(&["serve", "--listen", "127.0.0.1:0"]);
        let mut server = serve.args(beside).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
        let said = lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| line.split_once(" at http://").map(|(_, at)| at.to_owned()));
        let url = format!("http://{}", said.expect("the server says where it listens"));
        // Whatever else it says must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let mut processes: Vec<Child> = (0..workers).map(|_| worker(school)).collect();
        processes.push(server);
        Self { url, processes }
    }

    /// What monitoring reads.
    fn figures(&self) -> String {
        get(self.url.trim_start_matches("http://"), "/metrics")
    }

    /// A program that is given the address and the credentials.
    fn client(&self, program: &str, script: &str) -> Command {
        let mut client = Command::new(program);
        client.arg(repository().join("deploy/examples").join(script)).arg(&self.url).stdin(Stdio::null());
        client.env("ROLLCALL_USER", "ann").env("ROLLCALL_PASSWORD", PASSWORD);
        client
    }
}

/// A program that looks at photos.
pub(crate) fn worker(school: &School) -> Child {
    school.command(&["work"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The whole answer of a program that listens at `address`.
fn get(address: &str, path: &str) -> String {
    use std::io::{Read as _, Write as _};

    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

impl Drop for Service {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

pub(crate) fn add_user(school: &School, name: &str, role: &str) {
    use std::io::Write as _;

    let mut command = school.command(&["admin", "user", "add", name, "--role", role, "--password-stdin"]);
    let mut adding = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    writeln!(adding.stdin.take().unwrap(), "{PASSWORD}").unwrap();
    assert!(adding.wait().unwrap().success());
}

/// A class of eight, their portraits, and photos of one lesson, in a folder.
struct Lesson {
    folder: TempDir,
    class: &'static str,
    section: &'static str,
    /// Enrolled and refused.
    portraits: (usize, usize),
    photos: usize,
    /// Roll number of the one whose record is corrected.
    corrected: String,
}

const ROSTER_HEAD: &str = "class,section,name,roll_no,prn,email,consent\n";

impl Lesson {
    /// Of CSE-A of the drawn school.
    fn drawn() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let roster = fs::read_to_string(demo("roster.csv")).unwrap();
        let mut rows = String::from(ROSTER_HEAD);
        let mut corrected = None;
        for line in roster.lines().filter(|line| line.starts_with("CSE,A,")).take(8) {
            let columns: Vec<&str> = line.split(',').collect();
            rows.push_str(&format!("{},given\n", columns[..6].join(",")));
            let roll_no = columns[3];
            let portraits = fs::read_dir(demo("dataset")).unwrap().map(|entry| entry.unwrap().path());
            let own = portraits.filter(|path| path.to_str().unwrap().ends_with(&format!("_{roll_no}")));
            own.for_each(|from| copy_files(&from, &folder.path().join("portraits").join(roll_no)));
            corrected.get_or_insert_with(|| roll_no.to_owned());
        }
        fs::write(folder.path().join("roster.csv"), rows).unwrap();
        fs::create_dir(folder.path().join("photos")).unwrap();
        for photo in [LEFT, RIGHT, FULL] {
            fs::copy(class_photo(photo), folder.path().join("photos").join(photo)).unwrap();
        }
        let corrected = corrected.expect("the class has students");
        Self { folder, class: "CSE", section: "A", portraits: (16, 0), photos: 3, corrected }
    }

    /// Of eight people on real photos, which are third parties' and lie beside the repository; none where they are absent.
    fn real() -> Option<Self> {
        let cast = repository().join("../shared/photos/e2e_tvcast");
        if !cast.exists() {
            eprintln!("skipped: {} is not there, so no lesson is taken with real photos", cast.display());
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut rows = String::from(ROSTER_HEAD);
        for (person, _) in real_attendance(&cast) {
            rows.push_str(&format!("Cast,1,{person},{person},{person},,given\n"));
            copy_files(&cast.join("enrol").join(&person), &folder.path().join("portraits").join(&person));
        }
        fs::write(folder.path().join("roster.csv"), rows).unwrap();
        copy_files(&cast.join("photos"), &folder.path().join("photos"));
        let corrected = "stuart".to_owned();
        Some(Self { folder, class: "Cast", section: "1", portraits: (39, 1), photos: 5, corrected })
    }

    fn at(&self, part: &str) -> PathBuf {
        self.folder.path().join(part)
    }
}

/// Who of the cast can be seen as a whole face in at least one photo.
fn real_attendance(cast: &Path) -> BTreeMap<String, bool> {
    let column = |line: &str, n: usize| line.split(',').nth(n).unwrap().to_owned();
    let people = fs::read_to_string(cast.join("enrolment.csv")).unwrap();
    let mut seen: BTreeMap<String, bool> = people.lines().skip(1).map(|line| (column(line, 1), false)).collect();
    let truth = fs::read_to_string(cast.join("truth.csv")).unwrap();
    for line in truth.lines().skip(1).filter(|line| column(line, 6) != "partial") {
        *seen.get_mut(&column(line, 1)).expect("only the cast has names") = true;
    }
    seen
}

fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}

/// Roster, portraits, photos, events, a correction and the sheet, by the example in Python. Returns the status of each roll
/// number before the correction.
fn taken(school: &School, service: &Service, lesson: &Lesson) -> BTreeMap<String, String> {
    add_user(school, "ann", "admin");
    let correction = format!("{}=late", lesson.corrected);
    let mut client = service.client("python3", "attendance.py");
    client.arg("--roster").arg(lesson.at("roster.csv")).args(["--class", lesson.class, "--section", lesson.section]);
    client.arg("--portraits").arg(lesson.at("portraits")).arg("--photos").arg(lesson.at("photos"));
    client.args(["--correct", &correction]).arg("-o").arg(lesson.at("sheet.xlsx"));
    let ran = Ran::of(client.output().unwrap()).expect(0);
    let (enrolled, refused) = lesson.portraits;
    assert!(ran.out.contains(&format!("{enrolled} portraits enrolled, {refused} refused")), "{ran:?}");
    assert!(ran.out.contains(&format!("{} photos uploaded", lesson.photos)), "{ran:?}");
    assert!(ran.out.contains("event "), "{ran:?}");
    assert!(ran.out.contains(&format!("{} is late now", lesson.corrected)), "{ran:?}");
    let sheet = fs::read(lesson.at("sheet.xlsx")).unwrap();
    assert!(sheet.starts_with(b"PK"), "a workbook is a zip archive");
    let log = school.run(&["--json", "admin", "audit", "--last", "200"]).expect(0).json();
    let actions: Vec<&str> =
        log["rows"].as_array().unwrap().iter().filter_map(|line| line["action"].as_str()).collect();
    for action in ["auth.login", "upload_photos", "correct_record", "export_session"] {
        assert!(actions.contains(&action), "{action} in {actions:?}");
    }
    let statuses = ran.out.lines().filter_map(|line| line.trim_start().split_once(' '));
    let is_status = |word: &str| ["present", "absent", "unmarked"].contains(&word);
    statuses.filter(|(_, word)| is_status(word)).map(|(roll, word)| (roll.to_owned(), word.to_owned())).collect()
}

pub(crate) fn take_attendance(school: &School, service: &Service) {
    let statuses = taken(school, service, &Lesson::drawn());
    assert_eq!(statuses.len(), 8);
    assert!(statuses.values().filter(|status| *status == "present").count() >= 7, "{statuses:?}");
}

/// Settings for the nets that real photos need; none where their weights are absent.
pub(crate) fn real_nets() -> Option<(String, String)> {
    let weights = repository().join("../shared/models");
    if !weights.exists() {
        eprintln!("skipped: {} is not there, so no lesson is taken with real photos", weights.display());
        return None;
    }
    Some(("ROLLCALL_PACK".into(), "mtcnn-edgeface-xs".into()))
}

/// The same with eight people on five real photos. The school was made with [`real_nets`].
pub(crate) fn take_real_attendance(school: &School, workers: usize) {
    let Some(lesson) = Lesson::real() else { return };
    let weights = repository().join("../shared/models");
    let pull = ["models", "pull", "mtcnn-edgeface-xs", "--accept-licence", "--from", weights.to_str().unwrap()];
    school.run(&pull).expect(0);
    let statuses = taken(school, &Service::start(school, workers), &lesson);
    let truth = real_attendance(&repository().join("../shared/photos/e2e_tvcast"));
    let named: BTreeMap<String, bool> =
        statuses.into_iter().map(|(roll, status)| (roll, status == "present")).collect();
    assert_eq!(named, truth);
}

#[test]
fn a_lesson_is_taken_over_rest() {
    let school = School::empty();
    let service = Service::start(&school, 0);
    take_attendance(&school, &service);

    let figures = service.figures();
    let figure = |name: &str| -> f64 {
        let line = figures.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} in {figures}")).parse().unwrap()
    };
    assert_eq!(figure("rollcall_photos_total{state=\"done\"}"), 3.0);
    let matches = figure("rollcall_verdicts_total{verdict=\"match\"}");
    assert!(matches >= 7.0 && matches <= figure("rollcall_faces_total"), "{figures}");
    assert_eq!(figure("rollcall_jobs_total{kind=\"photo\",outcome=\"done\"}"), 3.0);
    assert_eq!(figure("rollcall_queue_jobs{kind=\"photo\",state=\"queued\"}"), 0.0);
    assert_eq!(figure("rollcall_provider_errors_total{provider=\"cpu\"}"), 0.0);
    assert_eq!(figure("rollcall_stage_seconds_count{stage=\"embed\"}"), 3.0);
    for part in [
        "rollcall_engine_info{",
        "provider=\"cpu\"",
        "rollcall_queue_oldest_seconds{",
        "rollcall_net_batch_size_bucket{",
    ] {
        assert!(figures.contains(part), "{part} in {figures}");
    }
}

#[test]
fn a_worker_tells_its_health_where_it_is_told_to() {
    let school = School::empty();
    let mut worker = school.command(&["work", "--listen", "127.0.0.1:0"]);
    let mut worker = worker.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(worker.stderr.take().unwrap()).lines().map(Result::unwrap);
    let address = lines.find_map(|line| line.split_once("health is told at http://").map(|(_, at)| at.to_owned()));
    let address = address.expect("the worker says where");
    assert!(get(&address, "/livez").starts_with("HTTP/1.0 200"));
    let ready = get(&address, "/readyz");
    assert!(ready.starts_with("HTTP/1.0 200") && ready.contains("\"recognition\":{\"ok\":true}"), "{ready}");
    let figures = get(&address, "/metrics");
    for part in ["rollcall_engine_info{", "rollcall_queue_jobs{kind=\"photo\",state=\"queued\"} 0"] {
        assert!(figures.contains(part), "{figures}");
    }
    assert!(Command::new("kill").arg(worker.id().to_string()).status().unwrap().success());
    assert!(worker.wait().unwrap().success());
}

#[test]
fn a_lesson_with_real_photos_is_taken_over_rest() {
    let Some(nets) = real_nets() else { return };
    take_real_attendance(&School::empty().with_variables(vec![nets]), 0);
}

#[test]
fn the_shell_example_takes_a_lesson() {
    for tool in ["curl", "jq"] {
        if Command::new(tool).arg("--version").output().is_err() {
            eprintln!("skipped: {tool} is not installed, so the shell example is not run");
            return;
        }
    }
    let school = School::enrolled();
    add_user(&school, "ann", "admin");
    let service = Service::start(&school, 0);
    let sheet = school.path().join("sheet.xlsx");
    let mut client = service.client("sh", "attendance.sh");
    // The demo school's classes are numbered in the order of its roster.
    let ran = Ran::of(client.arg("1").arg(&sheet).arg(class_photo(FULL)).output().unwrap()).expect(0);
    assert!(ran.out.contains(&format!("{FULL}: done")), "{ran:?}");
    assert!(ran.out.lines().filter(|line| line.ends_with(" present")).count() > 10, "{ran:?}");
    assert!(fs::read(sheet).unwrap().starts_with(b"PK"));
}

#[test]
fn a_server_that_is_told_to_stop_ends_well() {
    let school = School::enrolled();
    let mut service = Service::start(&school, 0);
    let mut server = service.processes.pop().unwrap();
    assert!(Command::new("kill").arg(server.id().to_string()).status().unwrap().success());
    assert!(server.wait().unwrap().success());
}
