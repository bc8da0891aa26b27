//! Workers killed in the middle of anything: nothing is lost, nothing is done twice.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Photos, School, fifty, substance};

/// Programs killed before the rest may end in peace.
const KILLS: usize = 12;
/// Short, so that what a killed worker held is soon taken over; and kills are no fault of a photo.
const IMPATIENT: [(&str, &str); 3] =
    [("ROLLCALL_QUEUE__LEASE_SECS", "1"), ("ROLLCALL_QUEUE__MAX_ATTEMPTS", "40"), ("ROLLCALL_PHOTOS__IN_FLIGHT", "2")];

/// Two workers and a batch, which are started again when they are gone.
struct Programs<'a> {
    school: &'a School,
    photos: &'a Photos,
    running: Vec<Option<Child>>,
}

impl<'a> Programs<'a> {
    fn new(school: &'a School, photos: &'a Photos) -> Self {
        Self { school, photos, running: vec![None, None, None] }
    }

    fn start(&mut self, place: usize) {
        let mut command: Command = match place {
            0 => self.school.command(&["batch", self.photos.path().to_str().unwrap()]),
            _ => self.school.command(&["work"]),
        };
        let quiet = command.envs(IMPATIENT).stdout(Stdio::null()).stderr(Stdio::null());
        self.running[place] = Some(quiet.spawn().unwrap());
    }

    /// Kills a program where it is; false when it had ended by itself.
    fn kill(&mut self, place: usize) -> bool {
        let mut child = self.running[place].take().unwrap();
        let was_running = child.try_wait().unwrap().is_none();
        child.kill().unwrap();
        child.wait().unwrap();
        was_running
    }
}

impl Drop for Programs<'_> {
    fn drop(&mut self) {
        for child in self.running.iter_mut().flatten() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// Moments that differ from run to run (Knuth's MMIX generator).
struct Moments(u64);

impl Moments {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn waiting_jobs(school: &School) -> i64 {
    let counts = &school.run(&["--json", "admin", "jobs"]).expect(0).json()["counts"];
    counts["queued"].as_i64().unwrap() + counts["running"].as_i64().unwrap()
}

#[test]
fn workers_killed_at_random_moments_lose_nothing_and_do_nothing_twice() {
    let photos = fifty();
    let calm = substance(&School::enrolled().batch(&photos, 0));

    let school = School::enrolled();
    let mut programs = Programs::new(&school, &photos);
    (0..3).for_each(|place| programs.start(place));
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut random = Moments(seed);
    let mut kills = 0;
    let deadline = Instant::now() + Duration::from_secs(300);
    while kills < KILLS {
        assert!(Instant::now() < deadline, "{kills} kills and still not done");
        std::thread::sleep(Duration::from_millis(150 + random.below(900)));
        let place = random.below(3) as usize;
        kills += usize::from(programs.kill(place));
        programs.start(place);
    }
    drop(programs);
    let after = school.run_with(&IMPATIENT, &["--json", "batch", photos.path().to_str().unwrap()]).expect(0).json();
    assert_eq!(substance(&after), calm);
    assert_eq!(waiting_jobs(&school), 0);
    let jobs = school.run(&["--json", "admin", "jobs", "--last", "1000"]).expect(0).json();
    let jobs = jobs["jobs"].as_array().unwrap();
    assert_eq!(jobs.len(), 50, "one job for each photo");
    let lost: usize = jobs.iter().map(|job| job["errors"].as_array().unwrap().len()).sum();
    assert!(lost > 0, "no kill has hit a worker at work");
    for error in jobs.iter().flat_map(|job| job["errors"].as_array().unwrap()) {
        assert_eq!(error["code"], "WORKER_LOST");
    }
}
