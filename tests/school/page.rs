//! The page as teachers and administrators use it, in a real browser.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::browser::{Browser, Screen, axe};
use crate::service::{PASSWORD, Service, add_user};
use crate::support::{FULL, LEFT, Photos, RIGHT, School, class_photo};

/// What the service says to somebody who has signed in.
struct Api {
    url: String,
    token: String,
    client: reqwest::Client,
}

impl Api {
    async fn of(service: &Service, name: &str) -> Self {
        let client = reqwest::Client::new();
        let url = format!("{}/api/v1", service.url);
        let said = json!({ "name": name, "password": PASSWORD });
        let grant: Value =
            client.post(format!("{url}/auth/login")).json(&said).send().await.unwrap().json().await.unwrap();
        Self { url, token: grant["access_token"].as_str().unwrap().to_owned(), client }
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token).send().await.unwrap();
        answer.error_for_status().unwrap().json().await.unwrap()
    }

    /// Roll numbers with this status.
    async fn with_status(&self, session: &str, status: &str) -> Vec<String> {
        let records = self.get(&format!("/sessions/{session}/records")).await;
        let of = records["items"].as_array().unwrap().iter().filter(|record| record["status"] == status);
        of.map(|record| record["roll_no"].as_str().unwrap().to_owned()).collect()
    }
}

impl Service {
    /// The server goes away at once, as when its machine does.
    fn stop(&mut self) {
        let mut server = self.processes.pop().expect("it runs");
        server.kill().unwrap();
        server.wait().unwrap();
    }

    /// The server comes back where it was.
    fn start_again(&mut self, school: &School) {
        let mut serve = school.command(&["serve", "--with-worker", "--listen", self.url.trim_start_matches("http://")]);
        self.processes.push(serve.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap());
        while TcpStream::connect(self.url.trim_start_matches("http://")).is_err() {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Who was absent in a lesson of the drawn school.
fn absent_in_truth(session: &str) -> Vec<String> {
    let truth = std::fs::read_to_string(crate::support::demo("attendance.csv")).unwrap();
    let rows = truth.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    rows.filter(|row| row[0] == session && row[2] == "0").map(|row| row[1].to_owned()).collect()
}

/// The number of the session that is shown.
async fn session_shown(browser: &Browser) -> String {
    let url = browser.window.current_url().await.unwrap();
    url.fragment().unwrap().trim_start_matches("/sessions/").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_teacher_takes_attendance_from_a_phone() {
    let Some(browser) = Browser::open(Screen::Phone, "light").await else { return };
    let school = School::enrolled();
    add_user(&school, "ann", "admin");
    let service = Service::start(&school, 0);
    let api = Api::of(&service, "ann").await;
    browser.sign_in(&service.url, "ann", PASSWORD).await;

    // Class, photos, send.
    browser.press("Take attendance of CSE A").await;
    browser.settled().await;
    let photos: Vec<PathBuf> = [LEFT, RIGHT].map(class_photo).into();
    browser.choose_files("input[type=file][multiple]", &[&photos[0], &photos[1]]).await;
    browser.press("Send 2 photos").await;
    browser.wait_for(".heads", "people seen").await;
    browser.wait_for(".photo-tabs", "Photo 2").await;
    let session = session_shown(&browser).await;
    assert_eq!(api.with_status(&session, "absent").await, absent_in_truth("CSE-A_2026-11-16_0900"));
    assert_eq!(browser.count(".face-match").await, api.faces_of_first_photo(&session, "match").await);

    // A status by hand, taken back, and set again with a note.
    let absent = api.with_status(&session, "absent").await[0].clone();
    for last in [false, true] {
        browser.press(&absent).await;
        browser.press("Late").await;
        browser.write("note", "came at 9:10").await;
        browser.press("Save").await;
        browser.wait_for(".toast", "Late").await;
        if !last {
            browser.press("Undo").await;
            browser.wait_for(".toasts", "Taken back").await;
            assert!(api.with_status(&session, "late").await.is_empty());
        }
    }
    assert_eq!(api.with_status(&session, "late").await, [absent]);

    // It is signed: 23 on the photos and the one who came late.
    browser.press("Confirm").await;
    browser.find("dialog[open]").await;
    browser.write("head_count", "24").await;
    browser.press_first("dialog .button-primary").await;
    browser.wait_for("main", "Confirmed by ann").await;
    assert_eq!(api.get(&format!("/sessions/{session}")).await["state"], "confirmed");
}

impl Api {
    /// Faces with this verdict on the photo that is shown first.
    async fn faces_of_first_photo(&self, session: &str, verdict: &str) -> u64 {
        let photos = self.get(&format!("/sessions/{session}/photos")).await;
        let faces = self.get(&format!("/photos/{}/faces", photos["items"][0]["id"])).await;
        faces["items"].as_array().unwrap().iter().filter(|face| face["verdict"] == verdict).count() as u64
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_face_is_given_a_name_and_the_name_is_taken_back() {
    let Some(browser) = Browser::open(Screen::Desk, "light").await else { return };
    let school = School::enrolled();
    school.batch(&Photos::of(&[(FULL, FULL)]), 0);
    add_user(&school, "ann", "admin");
    let service = Service::start(&school, 0);
    let api = Api::of(&service, "ann").await;
    browser.sign_in(&service.url, "ann", PASSWORD).await;
    browser.show(&service.url, "/sessions/1").await;

    let absent = api.with_status("1", "absent").await;
    browser.press_first(".face-stranger").await;
    browser.find(".candidates").await;
    browser.press("Somebody else of the class").await;
    browser.write("search", &absent[0]).await;
    browser.press_first(".others .list-item").await;
    browser.wait_for(".toasts", &absent[0]).await;
    assert!(api.with_status("1", "present").await.contains(&absent[0]));
    assert_eq!(browser.count(".face-stranger").await, 0);

    browser.press("Undo").await;
    browser.wait_for(".toasts", "Taken back").await;
    assert_eq!(api.with_status("1", "absent").await, absent);
    assert_eq!(browser.count(".face-stranger").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn photos_are_sent_when_the_server_is_back() {
    let Some(browser) = Browser::open(Screen::Phone, "dark").await else { return };
    let school = School::enrolled();
    add_user(&school, "ann", "admin");
    let mut service = Service::start(&school, 0);
    browser.sign_in(&service.url, "ann", PASSWORD).await;
    browser.press("Take attendance of CSE A").await;
    browser.press("Without photos").await;
    browser.find(".add-photos input[type=file][multiple]").await;

    service.stop();
    browser.choose_files(".add-photos input[type=file][multiple]", &[&class_photo(FULL)]).await;
    browser.wait_for(".sending-list", "No connection").await;
    service.start_again(&school);
    browser.window.refresh().await.unwrap();
    browser.wait_for(".heads", "people seen").await;
    assert_eq!(browser.count(".sending-list li").await, 0);
    assert_eq!(browser.count(".face-match").await, 24);
}

/// Every screen, small and large, light and dark: it stands, nothing stands beside the window, and axe finds no barrier.
#[tokio::test(flavor = "multi_thread")]
async fn every_screen_is_fit_for_everybody() {
    let axe = axe();
    let school = School::enrolled();
    add_user(&school, "ann", "admin");
    school.batch(&Photos::of(&[(LEFT, LEFT), (RIGHT, RIGHT), (FULL, FULL)]), 0);
    let service = Service::start(&school, 0);
    let mut faults = Vec::new();
    for (screen, scheme) in [(Screen::Phone, "light"), (Screen::Desk, "dark")] {
        let Some(browser) = Browser::open(screen, scheme).await else { return };
        browser.window.goto(&service.url).await.unwrap();
        browser.find("form").await;
        faults
            .extend(browser.faults(axe.as_deref()).await.into_iter().map(|fault| format!("sign-in {scheme}: {fault}")));
        browser.sign_in(&service.url, "ann", PASSWORD).await;
        for place in PLACES {
            browser.show(&service.url, place).await;
            let found = browser.faults(axe.as_deref()).await;
            faults.extend(found.into_iter().map(|fault| format!("{place} {scheme}: {fault}")));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

const PLACES: [&str; 18] = [
    "/",
    "/take",
    "/sessions",
    "/sessions/1",
    "/classes",
    "/classes/1",
    "/students/1",
    "/students/1/enrol",
    "/dashboard",
    "/account",
    "/admin",
    "/admin/users",
    "/admin/tokens",
    "/admin/jobs",
    "/admin/system",
    "/admin/audit",
    "/admin/roster",
    "/admin/settings",
];
