//! The page as teachers and administrators use it, in a real browser.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use calamine::{Reader as _, Xlsx, open_workbook};
use fantoccini::key::Key;
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

/// A school with one lesson, and what its administrator hears.
async fn with_a_lesson() -> (School, Service, Api) {
    let school = School::enrolled();
    school.batch(&Photos::of(&[(FULL, FULL)]), 0);
    add_user(&school, "ann", "admin");
    let service = Service::start(&school, 0);
    let api = Api::of(&service, "ann").await;
    (school, service, api)
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
    let (_school, service, api) = with_a_lesson().await;
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

    // Without a connection from the beginning, the session too is made when there is one.
    browser.show(&service.url, "/take?class=1&at=2026-11-16T03:30:00Z").await;
    browser.choose_files("input[type=file][multiple]", &[&class_photo(LEFT)]).await;
    service.stop();
    browser.press("Send 1 photo").await;
    browser.wait_for("main", "1 photo waits").await;
    service.start_again(&school);
    browser.window.refresh().await.unwrap();
    browser.wait_for("main h2", "Waiting for you").await;
    let api = Api::of(&service, "ann").await;
    let deadline = std::time::Instant::now() + Duration::from_secs(120);
    while api.get("/sessions").await["total"] != 2 || api.get("/sessions?state=review").await["total"] == 0 {
        assert!(std::time::Instant::now() < deadline, "{}", api.get("/sessions").await);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    browser.wait_until_gone("body", "1 photo waits").await;
}

/// The workbook as another spreadsheet program saves it, in which this student is excused.
fn correct_in_another_program(workbook: &Path, saved: &Path, roll_no: &str) {
    let mut read: Xlsx<_> = open_workbook(workbook).unwrap();
    let mut written = rust_xlsxwriter::Workbook::new();
    for (name, range) in read.worksheets() {
        let page = written.add_worksheet().set_name(name).unwrap();
        let (mut status_column, mut of_student) = (None, None);
        for (row, column, cell) in range.used_cells() {
            let mut text = cell.to_string();
            if text == "Status" {
                status_column = Some(column);
            }
            if text == roll_no {
                of_student = Some(row);
            }
            if of_student == Some(row) && status_column == Some(column) {
                text = "Excused".to_owned();
            }
            let (first_row, first_column) = range.start().unwrap();
            let at = (first_row + row as u32, (first_column as usize + column) as u16);
            page.write_string(at.0, at.1, text).unwrap();
        }
    }
    written.save(saved).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workbook_is_corrected_elsewhere_and_comes_back() {
    let Some(browser) = Browser::open(Screen::Desk, "light").await else { return };
    let (school, service, api) = with_a_lesson().await;
    browser.sign_in(&service.url, "ann", PASSWORD).await;
    browser.show(&service.url, "/sessions/1").await;
    let absent = api.with_status("1", "absent").await[0].clone();

    browser.press("Excel").await;
    let corrected = school.path().join("corrected.xlsx");
    correct_in_another_program(&browser.downloaded("xlsx").await, &corrected, &absent);
    browser.press("Corrected sheet").await;
    browser.choose_files("dialog input[type=file]", &[&corrected]).await;
    browser.wait_for("dialog", "1 student changes").await;
    assert!(api.with_status("1", "excused").await.is_empty(), "only shown so far");
    browser.press("Take 1 change over").await;
    browser.wait_for(".toasts", "1 status was taken over").await;
    assert_eq!(api.with_status("1", "excused").await, [absent]);

    // The same in other forms.
    browser.press("Other files").await;
    browser.press("Download").await;
    let csv = std::fs::read_to_string(browser.downloaded("csv").await).unwrap();
    assert!(csv.contains(",excused,"), "{csv}");
}

/// From signing in to the signature without a mouse.
#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_done_with_the_keyboard() {
    let Some(browser) = Browser::open(Screen::Desk, "dark").await else { return };
    let (_school, service, api) = with_a_lesson().await;
    browser.window.goto(&service.url).await.unwrap();
    browser.find("form").await;
    browser.type_keys("ann").await;
    browser.press_key(Key::Tab).await;
    browser.type_keys(PASSWORD).await;
    browser.press_key(Key::Enter).await;
    browser.find("header.bar").await;
    browser.settled().await;

    browser.tab_to("Sessions").await;
    browser.press_key(Key::Enter).await;
    browser.find("main a[href='#/sessions/1']").await;
    browser.tab_to("CSE A").await;
    browser.press_key(Key::Enter).await;
    browser.find(".face-stranger").await;

    // A face on the photo gets a name.
    let absent = api.with_status("1", "absent").await;
    browser.tab_to("Not of this class").await;
    browser.press_key(Key::Enter).await;
    browser.find("dialog .candidates").await;
    browser.tab_to("Somebody else of the class").await;
    browser.press_key(Key::Enter).await;
    browser.find("[name=search]").await;
    browser.tab_to("Name or roll number").await;
    browser.type_keys(&absent[0]).await;
    browser.tab_to(&absent[0]).await;
    browser.press_key(Key::Enter).await;
    browser.wait_for(".toasts", &absent[0]).await;
    assert!(api.with_status("1", "present").await.contains(&absent[0]));

    // A student gets another status; Escape leaves the next one alone.
    browser.settled().await;
    browser.tab_to(&absent[1]).await;
    browser.press_key(Key::Enter).await;
    browser.find("dialog [name=status]").await;
    browser.tab_to("Absent").await;
    browser.press_key(Key::Right).await;
    browser.tab_to("Save").await;
    browser.press_key(Key::Enter).await;
    browser.wait_for(".toasts", "Excused").await;
    assert!(!api.with_status("1", "absent").await.contains(&absent[1]));
    browser.press_key(Key::Enter).await;
    browser.find("dialog[open]").await;
    browser.press_key(Key::Escape).await;
    browser.wait_until_gone("dialog[open]", "").await;
    assert_eq!(browser.script("return document.activeElement === document.body").await, false, "the focus came back");

    browser.tab_to("Confirm").await;
    browser.press_key(Key::Enter).await;
    browser.find("dialog[open]").await;
    browser.tab_to("Heads you counted").await;
    browser.type_keys("25").await;
    browser.press_key(Key::Enter).await;
    browser.wait_for("main", "Confirmed by ann").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_network_is_shown_and_waited_for() {
    let Some(browser) = Browser::open(Screen::Phone, "light").await else { return };
    let school = School::enrolled();
    add_user(&school, "ann", "admin");
    let service = Service::start(&school, 0);
    browser.slow_network().await;
    browser.sign_in(&service.url, "ann", PASSWORD).await;
    let kilobytes = "return performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))\
                     .reduce((sum, entry) => sum + entry.transferSize, 0) / 1000";
    let first_page = browser.script(kilobytes).await.as_f64().unwrap();
    assert!(first_page < 150.0, "the first page takes {first_page} kB");
    browser.press("Take attendance of CSE A").await;
    browser.find("input[type=file][multiple]").await;
    browser.choose_files("input[type=file][multiple]", &[&class_photo(FULL)]).await;
    browser.press("Send 1 photo").await;
    browser.wait_for(".sending-list", "is sent").await;
    browser.wait_for(".heads", "people seen").await;
    assert_eq!(browser.count(".sending-list li").await, 0);
    assert_eq!(browser.count(".face-match").await, 24);
    assert_eq!(browser.complaints().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_said_and_can_be_tried_again() {
    let Some(browser) = Browser::open(Screen::Phone, "light").await else { return };
    let school = School::enrolled();
    add_user(&school, "ann", "admin");
    let mut service = Service::start(&school, 0);
    browser.window.goto(&service.url).await.unwrap();
    browser.write("name", "ann").await;
    browser.write("password", "not the password").await;
    browser.press("Sign in").await;
    browser.wait_for("[role=alert]", "password").await;
    browser.sign_in(&service.url, "ann", PASSWORD).await;
    browser.show(&service.url, "/sessions/404").await;
    browser.wait_for("main", "session").await;
    browser.show(&service.url, "/no/such/screen").await;
    browser.wait_for("main", "There is no such page").await;

    // Something that is no photo, whatever its name, and one that ends in its middle.
    browser.show(&service.url, "/").await;
    browser.press("Take attendance of CSE A").await;
    browser.find("input[type=file][multiple]").await;
    let (fake, cut) = (school.path().join("fake.jpg"), school.path().join("cut.jpg"));
    std::fs::write(&fake, "this is no photo").unwrap();
    let whole = std::fs::read(class_photo(FULL)).unwrap();
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    browser.choose_files("input[type=file][multiple]", &[&fake, &cut]).await;
    browser.press("Send 2 photos").await;
    browser.wait_for(".sending-list", "was not taken").await;
    browser.wait_for(".notices", "A photo").await;
    browser.wait_for(".sending-list", "could not be read").await;
    browser.press("Do not send").await;
    browser.wait_until_gone(".sending-list", "was not taken").await;
    let session = session_shown(&browser).await;
    let api = Api::of(&service, "ann").await;
    assert!(api.with_status(&session, "absent").await.is_empty(), "nobody is absent on half a photo");

    service.stop();
    browser.press("Classes").await;
    browser.wait_for("main", "No connection").await;
    service.start_again(&school);
    browser.press("Try again").await;
    browser.wait_for("main", "CSE A").await;
}

/// Every text that some module asks for by its whole name is there.
#[tokio::test(flavor = "multi_thread")]
async fn every_text_that_is_asked_for_is_there() {
    let Some(browser) = Browser::open(Screen::Desk, "light").await else { return };
    let school = School::enrolled();
    let service = Service::start(&school, 0);
    browser.window.goto(&service.url).await.unwrap();
    browser.find("form").await;
    let (mut folders, mut asked) = (vec![crate::support::repository().join("src/http/ui/js")], BTreeSet::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            let text = std::fs::read_to_string(entry).unwrap();
            let calls = text.match_indices("t(\"").filter(|(at, _)| !text[..*at].ends_with(char::is_alphanumeric));
            asked.extend(calls.map(|(at, call)| text[at + call.len()..].split('"').next().unwrap().to_owned()));
        }
    }
    assert!(asked.len() > 300, "{asked:?}");
    let script = "const [keys, done] = arguments; import('/ui/js/text.js').then(async ({ bringTexts, has }) => { \
                  await bringTexts('admin'); done(keys.filter((key) => !has(key))); })";
    let missing = browser.window.execute_async(script, vec![json!(asked)]).await.unwrap();
    assert_eq!(missing, json!([]));
}

/// Every screen, small and large, light and dark: it stands, nothing stands beside the window, the browser complains of nothing,
/// and axe finds no barrier. With a folder in `SCREENSHOTS`, what is seen is kept there (`make screenshots`).
#[tokio::test(flavor = "multi_thread")]
async fn every_screen_is_fit_for_everybody() {
    let axe = axe();
    let pictures = std::env::var_os("SCREENSHOTS").map(|folder| crate::support::repository().join(folder));
    let school = School::enrolled();
    add_user(&school, "ann", "admin");
    school.batch(&Photos::of(&[(LEFT, LEFT), (RIGHT, RIGHT), (FULL, FULL)]), 0);
    let service = Service::start(&school, 0);
    let mut faults = Vec::new();
    let mut windows = vec![(Screen::Phone, "light"), (Screen::Desk, "dark")];
    if pictures.is_some() {
        windows.extend([(Screen::Phone, "dark"), (Screen::Desk, "light")]);
    }
    for (screen, scheme) in windows {
        let Some(browser) = Browser::open(screen, scheme).await else { return };
        let mut look = async |name: &str| {
            if let Some(folder) = &pictures {
                let screen = format!("{screen:?}-{scheme}").to_lowercase();
                browser.picture(&folder.join(screen), name).await;
            }
            let found = browser.faults(axe.as_deref()).await;
            faults.extend(found.into_iter().map(|fault| format!("{name} {screen:?} {scheme}: {fault}")));
        };
        browser.window.goto(&service.url).await.unwrap();
        browser.find("form").await;
        look("sign-in").await;
        browser.sign_in(&service.url, "ann", PASSWORD).await;
        for place in PLACES {
            browser.show(&service.url, place).await;
            look(
                match place.trim_matches('/') {
                    "" => "today".to_owned(),
                    place => place.replace('/', "-"),
                }
                .as_str(),
            )
            .await;
        }
        browser.show(&service.url, "/sessions/2").await;
        browser.press_first(".face-stranger").await;
        browser.find("dialog .candidates").await;
        look("session-face").await;
        browser.press("Close").await;
        browser.press("Confirm").await;
        browser.find("dialog[open]").await;
        look("session-confirm").await;
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

const PLACES: [&str; 18] = [
    "/",
    "/take",
    "/sessions",
    "/sessions/2",
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
