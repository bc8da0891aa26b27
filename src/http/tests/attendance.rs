//! Attendance as schools know it, over the wire.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::server::{TestServer, problem};
use crate::db::testing::{self, School};
use crate::domain::access::{Role, Scope};

/// A school with an administrator and a teacher of its one class.
struct Scene {
    server: TestServer,
    made: School,
    admin: String,
    teacher: String,
}

impl Scene {
    async fn start() -> Self {
        Self::on(TestServer::start().await).await
    }

    async fn on(server: TestServer) -> Self {
        let made = server.school.change(|conn| Ok(testing::school(conn)?)).await.unwrap();
        let admin = server.user("admin", Role::Admin, &[]).await;
        let teacher = server.user("teacher", Role::Teacher, &[made.class]).await;
        Self { server, made, admin, teacher }
    }

    async fn get(&self, who: &str, path: &str) -> Value {
        let answer = self.server.get(&format!("/api/v1{path}")).bearer_auth(who).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}: {}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    }

    async fn send(&self, who: &str, method: &str, path: &str, body: &Value) -> reqwest::Response {
        self.server.request(method, &format!("/api/v1{path}")).bearer_auth(who).json(body).send().await.unwrap()
    }
}

#[tokio::test]
async fn a_schools_own_styles_are_on_its_sheets() {
    let scene = Scene::start().await;
    let mut styles = scene.get(&scene.teacher, "/status-styles").await;
    let first = json!({ "status": "present", "label": "Present", "short": "P", "points": 1.0, "colour": "#1b7f3b" });
    assert_eq!((&styles["items"][0], &styles["items"][3]["points"]), (&first, &Value::Null));
    let machine = scene.server.token(&[Scope::Roster]).await;
    assert_eq!(scene.get(&machine, "/status-styles").await, styles);

    styles["items"][4]["short"] = json!("§");
    styles["items"][2]["points"] = json!(0.5);
    let refused = scene.send(&scene.teacher, "PUT", "/status-styles", &styles).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let set = scene.send(&scene.admin, "PUT", "/status-styles", &styles).await;
    assert_eq!(set.json::<Value>().await.unwrap(), styles);
    assert_eq!(scene.get(&scene.teacher, "/status-styles").await, styles);
    mark(&scene, scene.made.session.0, ["unmarked", "absent", "late"]).await;
    let (class, days) = (scene.made.class.0, "from=2025-09-01&to=2025-09-30&format=csv");
    let register = scene.server.get(&format!("/api/v1/classes/{class}/register?{days}"));
    let register = register.bearer_auth(&scene.teacher).send().await.unwrap().text().await.unwrap();
    assert!(register.lines().nth(1).unwrap().ends_with(",§"), "{register}");

    styles["items"][4]["short"] = json!("p");
    let twice = scene.send(&scene.admin, "PUT", "/status-styles", &styles).await;
    assert_eq!(problem(twice).await, (400, "INVALID_REQUEST".into()));
    styles["items"][4]["short"] = json!("none");
    let long = scene.send(&scene.admin, "PUT", "/status-styles", &styles).await;
    assert_eq!(problem(long).await, (400, "INVALID_REQUEST".into()));
    let refused = scene.send(&scene.teacher, "DELETE", "/status-styles", &json!({})).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let reset: Value = scene.send(&scene.admin, "DELETE", "/status-styles", &json!({})).await.json().await.unwrap();
    assert_eq!((&reset["items"][4]["short"], &reset["items"][2]["points"]), (&json!("?"), &json!(1.0)));
    assert_eq!(scene.get(&scene.teacher, "/status-styles").await, reset);
    styles["items"].as_array_mut().unwrap().pop();
    let four = scene.send(&scene.admin, "PUT", "/status-styles", &styles).await;
    assert_eq!(problem(four).await, (400, "INVALID_REQUEST".into()));
}

/// Marks of the three members in the session that the school has, as the teacher sets them.
async fn mark(scene: &Scene, session: i64, statuses: [&str; 3]) {
    let items = scene.made.members.iter().zip(statuses);
    let items: Vec<Value> = items.map(|(id, status)| json!({ "member_id": id.0, "status": status })).collect();
    let path = format!("/sessions/{session}/records");
    assert_eq!(scene.send(&scene.teacher, "POST", &path, &json!({ "items": items })).await.status(), 200);
}

async fn session(scene: &Scene, starts_at: &str, name: &str) -> i64 {
    let body = json!({ "class_id": scene.made.class.0, "starts_at": starts_at, "name": name });
    let made = scene.send(&scene.teacher, "POST", "/sessions", &body).await;
    made.json::<Value>().await.unwrap()["id"].as_i64().unwrap()
}

#[tokio::test]
async fn days_that_cannot_be_are_refused_everywhere() {
    let server = TestServer::with(|config| config.time_zone = chrono_tz::Asia::Kolkata).await;
    let scene = Scene::on(server).await;
    let (class, member) = (scene.made.class.0, scene.made.members[0]);
    let student = scene.server.school.change(move |conn| Ok(crate::db::members::get(conn, member)?.student_id.0));
    let student = student.await.unwrap();
    let refused = async |method: &str, path: &str, body: &Value| {
        let answer = scene.send(&scene.admin, method, path, body).await;
        let status = answer.status();
        let told: Value = answer.json().await.unwrap();
        assert_eq!(
            (status.as_u16(), &told["code"]),
            (400, &json!("INVALID_REQUEST")),
            "{method} {path} {body}: {told}"
        );
        told["detail"].as_str().unwrap().to_owned()
    };
    for far in ["-262143-01-01", "0001-01-01", "9999-12-31", "%2B10000-01-01", "%2B262142-12-31"] {
        for path in [
            format!("/statistics?from={far}&to={far}"),
            format!("/classes/{class}/attendance?from={far}&to={far}"),
            format!("/students/{student}/attendance?from={far}&to={far}"),
            format!("/classes/{class}/register?from={far}&to={far}&format=csv"),
            format!("/classes/{class}/register?from={far}&to={far}"),
            format!("/classes/{class}/leaves?from={far}&to={far}"),
            format!("/classes/{class}/members?on={far}"),
            format!("/classes/{class}/enrolment-health?on={far}"),
            format!("/planned-sessions?from={far}&to={far}"),
            format!("/holidays?from={far}&to={far}"),
            format!("/sessions?from={far}"),
            format!("/sessions?to={far}"),
        ] {
            let words = refused("GET", &path, &Value::Null).await;
            assert!(words.contains("is too far away: days are from 1900-01-01 to 9998-12-31"), "{path}: {words}");
        }
    }
    for far in ["-262143-01-01", "+262142-12-31"] {
        let slot = json!({ "weekday": "monday", "starts_at": "09:00", "minutes": 45, "valid_from": far });
        for (method, path, body) in [
            ("POST", format!("/students/{student}/leaves"), json!({ "from": far, "to": far, "kind": "sick" })),
            ("POST", "/holidays".into(), json!({ "from": far, "to": far, "name": "x" })),
            ("POST", "/exports".into(), json!({ "what": "register", "class_id": class, "from": far, "to": far })),
            ("POST", "/exports".into(), json!({ "what": "workbook", "class_id": class, "from": far, "to": far })),
            ("PATCH", format!("/members/{}", member.0), json!({ "to": far })),
            ("PUT", format!("/classes/{class}/timetable"), json!({ "slots": [slot] })),
        ] {
            refused(method, &path, &body).await;
        }
    }
    let long = "from=2025-01-01&to=2028-01-06";
    for path in [format!("/classes/{class}/register?{long}"), format!("/classes/{class}/register?{long}&format=csv")] {
        assert_eq!(refused("GET", &path, &Value::Null).await, "1101 days are asked for; at most 1100 at once");
    }
    for what in ["register", "workbook"] {
        let body = json!({ "what": what, "class_id": class, "from": "2025-01-01", "to": "9998-12-31" });
        refused("POST", "/exports", &body).await;
    }
}

#[tokio::test]
async fn a_class_and_its_students_add_up() {
    let scene = Scene::start().await;
    let maths = scene.send(&scene.admin, "POST", "/subjects", &json!({ "name": "Maths" })).await;
    let maths = maths.json::<Value>().await.unwrap()["id"].clone();
    let first = scene.made.session.0;
    let second = session(&scene, "2025-09-02T03:30:00Z", "Maths").await;
    mark(&scene, first, ["present", "absent", "excused"]).await;
    mark(&scene, second, ["late", "absent", "unmarked"]).await;
    let class = scene.made.class.0;
    let path = format!("/classes/{class}/attendance?from=2025-09-01&to=2025-09-30");
    let sums = scene.get(&scene.teacher, &path).await;
    assert_eq!((&sums["planned"], &sums["taken"], &sums["below"]), (&json!(2), &json!(2), &json!(75.0)));
    let of = |field: &str| sums["items"].as_array().unwrap().iter().map(|i| i[field].clone()).collect::<Vec<_>>();
    assert_eq!(of("roll_no"), ["1", "2", "3"]);
    assert_eq!(of("percent"), [json!(100.0), json!(0.0), Value::Null]);
    assert_eq!(of("percent_all"), [json!(100.0), json!(0.0), json!(0.0)]);
    assert_eq!(of("percent_reachable"), [json!(100.0), json!(0.0), Value::Null]);
    assert_eq!(of("consecutive_absences"), [0, 2, 0]);
    assert_eq!(of("below"), [false, true, false]);
    assert_eq!((of("points")[0].clone(), of("counted")[0].clone()), (json!(2.0), json!(2)));
    let subjects = json!([
        { "subject_id": null, "subject": null, "taken": 1, "percent": 100.0 },
        { "subject_id": maths, "subject": "Maths", "taken": 1, "percent": 100.0 },
    ]);
    assert_eq!(of("subjects")[0], subjects);
    let only = scene.get(&scene.teacher, &format!("{path}&subject_id={maths}&below=0")).await;
    assert_eq!((&only["taken"], &only["items"][1]["below"]), (&json!(1), &json!(false)));

    let student = of("student_id")[0].clone();
    let own = scene.get(&scene.teacher, &format!("/students/{student}/attendance?from=2025-09-01&to=2025-09-02")).await;
    assert_eq!(own["classes"][0]["percent"], json!(100.0));
    let record = json!({ "session_id": second, "class_id": class, "starts_at": "2025-09-02T03:30:00Z", "subject": "Maths",
        "status": "late", "note": null, "source": "manual" });
    assert_eq!(own["days"][1], json!({ "date": "2025-09-02", "records": [record] }));

    for wrong in ["from=2025-09-02&to=2025-09-01", "from=2000-01-01&to=2025-09-01", "from=x&to=2025-09-01"] {
        let refused =
            scene.send(&scene.teacher, "GET", &format!("/classes/{class}/attendance?{wrong}"), &json!({})).await;
        assert_eq!(problem(refused).await, (400, "INVALID_REQUEST".into()), "{wrong}");
    }
}

#[tokio::test]
async fn a_teacher_sees_a_shared_student_in_the_own_class_only() {
    let scene = Scene::start().await;
    let member = scene.made.members[0];
    let made = scene.server.school.change(move |conn| {
        let student = crate::db::members::get(conn, member)?.student_id;
        let other = testing::class(conn, "10")?;
        crate::db::members::insert(conn, &testing::new_member(other, student, "7"))?;
        Ok(student.0)
    });
    let student = made.await.unwrap();
    let path = format!("/students/{student}/attendance?from=2025-09-01&to=2025-09-02");
    let classes = |value: Value| value["classes"].as_array().unwrap().len();
    assert_eq!(classes(scene.get(&scene.teacher, &path).await), 1);
    assert_eq!(classes(scene.get(&scene.admin, &path).await), 2);
}

#[tokio::test]
async fn statistics_are_those_of_the_classes_the_caller_sees() {
    let scene = Scene::start().await;
    mark(&scene, scene.made.session.0, ["present", "absent", "late"]).await;
    let range = "/statistics?from=2025-09-01&to=2025-09-30";
    let own = scene.get(&scene.teacher, range).await;
    let day = json!({ "date": "2025-09-01", "sessions": 1, "present": 1, "late": 1, "absent": 1, "excused": 0, "unmarked": 0 });
    assert_eq!(own["days"], json!([day]));
    assert_eq!(own["classes"][0]["percent"], json!(100.0 * 2.0 / 3.0));
    let stranger = scene.server.user("other", Role::Teacher, &[]).await;
    let nothing = json!({ "days": [], "classes": [], "processing": [] });
    assert_eq!(scene.get(&stranger, range).await, nothing);
    let class = scene.made.class.0;
    let refused = scene.send(&stranger, "GET", &format!("{range}&class_id={class}"), &json!({})).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_leave_goes_with_its_document_and_stays_in_its_class() {
    let scene = Scene::start().await;
    let members = scene.get(&scene.teacher, &format!("/classes/{}/members?on=2025-09-01", scene.made.class.0)).await;
    let student = members["items"][0]["student_id"].clone();
    let path = format!("/students/{student}/leaves");
    let wish = json!({ "from": "2025-09-01", "to": "2025-09-03", "kind": "sick", "remark": "flu" });
    let added = scene.send(&scene.teacher, "POST", &path, &wish).await;
    assert_eq!(added.status(), StatusCode::CREATED);
    let added: Value = added.json().await.unwrap();
    assert_eq!((&added["document"], &added["created_by"]), (&Value::Null, &json!("teacher")));
    let settled = json!([scene.made.session.0]);
    assert_eq!((&added["settled_sessions"], &added["confirmed_sessions"]), (&settled, &json!([])), "without photos");
    let twice = scene.send(&scene.teacher, "POST", &path, &wish).await;
    assert_eq!(problem(twice).await, (409, "ALREADY_EXISTS".into()));

    let leave = added["leave_id"].as_i64().unwrap();
    let document = format!("/api/v1/leaves/{leave}/document");
    let upload = async |who: &str, bytes: &'static [u8]| {
        let part = reqwest::multipart::Part::bytes(bytes).file_name("note.pdf");
        let form = reqwest::multipart::Form::new().part("document", part);
        scene.server.request("PUT", &document).bearer_auth(who).multipart(form).send().await.unwrap()
    };
    assert_eq!(problem(upload(&scene.teacher, b"dear teacher").await).await, (415, "UNSUPPORTED_FORMAT".into()));
    let stored: Value = upload(&scene.teacher, b"%PDF-1.7 I was ill").await.json().await.unwrap();
    let expected = json!({ "name": "note.pdf", "bytes": 18, "content_type": "application/pdf" });
    assert_eq!(stored["document"], expected);
    let fetched = scene.server.get(&document).bearer_auth(&scene.teacher).send().await.unwrap();
    assert_eq!(fetched.headers()["content-type"], "application/pdf");
    assert_eq!(fetched.headers()["content-disposition"], format!("inline; filename=\"leave-{leave}.pdf\"").as_str());
    assert_eq!(fetched.bytes().await.unwrap(), b"%PDF-1.7 I was ill".as_slice());

    let of_class = format!("/classes/{}/leaves?from=2025-09-03&to=2025-09-30", scene.made.class.0);
    let listed = scene.get(&scene.teacher, &of_class).await;
    assert_eq!((&listed["items"][0]["roll_no"], &listed["items"][0]["leave_id"]), (&json!("1"), &json!(leave)));
    assert_eq!(scene.get(&scene.admin, &path).await["items"][0]["document"], expected);
    let (other, viewer) =
        (scene.server.user("other", Role::Teacher, &[]).await, scene.server.user("viewer", Role::Viewer, &[]).await);
    for who in [&other, &viewer] {
        for (method, path) in [("GET", path.clone()), ("DELETE", format!("/leaves/{leave}"))] {
            let refused = scene.send(who, method, &path, &json!({})).await;
            assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{method} {path}");
        }
    }
    let gone = scene.send(&scene.teacher, "DELETE", &format!("/leaves/{leave}"), &json!({})).await;
    assert_eq!(gone.status(), 200);
    assert_eq!(scene.get(&scene.teacher, &path).await["items"], json!([]));
    let no_document = scene.server.get(&document).bearer_auth(&scene.admin).send().await.unwrap();
    assert_eq!(problem(no_document).await, (404, "LEAVE_NOT_FOUND".into()));
}

#[tokio::test]
async fn a_leave_is_no_business_of_a_class_that_the_student_has_left() {
    let scene = Scene::start().await;
    let member = scene.made.members[0];
    let left = scene.server.school.change(move |conn| {
        crate::db::members::end(conn, member, testing::day("2025-08-31"))?;
        Ok(crate::db::members::get(conn, member)?.student_id.0)
    });
    let student = left.await.unwrap();
    let path = format!("/students/{student}/leaves");
    let wish = json!({ "from": "2025-09-01", "to": "2025-09-03", "kind": "sick" });
    let refused = scene.send(&scene.teacher, "POST", &path, &wish).await;
    assert_eq!(problem(refused).await, (403, "FORBIDDEN".into()));
    let added: Value = scene.send(&scene.admin, "POST", &path, &wish).await.json().await.unwrap();
    assert_eq!(scene.get(&scene.teacher, &path).await["items"], json!([]));
    assert_eq!(scene.get(&scene.admin, &path).await["items"].as_array().unwrap().len(), 1);
    let leave = format!("/leaves/{}", added["leave_id"]);
    for (method, path) in [("GET", format!("{leave}/document")), ("DELETE", leave.clone())] {
        let refused = scene.send(&scene.teacher, method, &path, &json!({})).await;
        assert_eq!(problem(refused).await, (403, "FORBIDDEN".into()), "{method} {path}");
    }
    let gone = scene.send(&scene.admin, "DELETE", &leave, &json!({})).await;
    assert_eq!(gone.status(), 200);
    let log = scene.get(&scene.admin, "/audit?action=leave").await;
    let lines: Vec<&Value> = log["items"].as_array().unwrap().iter().map(|line| &line["action"]).collect();
    assert_eq!(lines, [&json!("leave.remove"), &json!("leave.add")]);
    assert!(log["items"][0]["request_id"].is_string(), "{log}");
    assert_eq!(scene.get(&scene.admin, "/audit?action=add_leave").await["items"], json!([]), "a line for each request");
}

#[tokio::test]
async fn a_timetable_tells_the_lessons_of_a_day_and_the_registers_that_are_missing() {
    let scene = Scene::start().await;
    let class = scene.made.class.0;
    let path = format!("/classes/{class}/timetable");
    assert_eq!(scene.get(&scene.teacher, &path).await, json!({ "slots": [] }));
    let slot = |weekday: &str, starts_at: &str| {
        json!({ "weekday": weekday, "starts_at": starts_at, "minutes": 45, "subject_id": null, "valid_from": "2025-07-01",
            "valid_to": null })
    };
    let wanted = json!({ "slots": [slot("monday", "03:30"), slot("tuesday", "03:30")] });
    let refused = scene.send(&scene.teacher, "PUT", &path, &wanted).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let stored: Value = scene.send(&scene.admin, "PUT", &path, &wanted).await.json().await.unwrap();
    assert_eq!(
        (&stored["slots"][1]["weekday"], &stored["slots"][1]["starts_at"]),
        (&json!("tuesday"), &json!("03:30"))
    );
    assert_eq!(scene.get(&scene.teacher, &path).await, stored);
    for wrong in [slot("monday", "3.30"), slot("monday", "04:00"), slot("someday", "09:00")] {
        let both = json!({ "slots": [slot("monday", "03:30"), wrong] });
        let refused = scene.send(&scene.admin, "PUT", &path, &both).await;
        assert!(matches!(refused.status().as_u16(), 400 | 422), "{both}: {}", refused.status());
    }

    let trip = json!({ "from": "2025-09-08", "to": "2025-09-09", "name": "Trip", "class_id": class });
    let trip = scene.send(&scene.admin, "POST", "/holidays", &trip).await;
    assert_eq!(trip.status(), StatusCode::CREATED);
    let trip: Value = trip.json().await.unwrap();
    let other = scene.server.user("other", Role::Teacher, &[]).await;
    let listed = async |who: &str| scene.get(who, "/holidays?from=2025-09-09&to=2025-09-30").await["items"].clone();
    assert_eq!((listed(&scene.teacher).await, listed(&other).await), (json!([trip]), json!([])));

    let today = scene.get(&scene.teacher, "/planned-sessions?from=2025-09-01&to=2025-09-01").await;
    let first = json!({ "class_id": class, "class": "9", "section": "A", "subject_id": null, "subject": null,
        "starts_at": "2025-09-01T03:30:00Z", "minutes": 45, "holiday": null, "session_id": scene.made.session.0,
        "state": "open", "taken": false });
    assert_eq!(today["items"], json!([first]));
    mark(&scene, scene.made.session.0, ["present", "absent", "late"]).await;
    let missing = "/planned-sessions?from=2025-09-01&to=2025-09-09&taken=false";
    let missing = scene.get(&scene.teacher, missing).await;
    let starts: Vec<&Value> = missing["items"].as_array().unwrap().iter().map(|item| &item["starts_at"]).collect();
    assert_eq!(starts, ["2025-09-02T03:30:00Z"], "the trip is none");
    assert_eq!(scene.get(&other, "/planned-sessions?from=2025-09-01&to=2025-09-09").await["items"], json!([]));
    let log = scene.get(&scene.admin, "/audit").await;
    let written: Vec<_> =
        log["items"].as_array().unwrap().iter().map(|line| line["action"].as_str().unwrap()).collect();
    let of = |part: &str| written.iter().copied().filter(|action| action.contains(part)).collect::<Vec<_>>();
    assert_eq!((of("holiday"), of("timetable")), (vec!["add_holiday"], vec!["replace_timetable"]), "a line each");
    let gone = format!("/holidays/{}", trip["holiday_id"]);
    assert_eq!(scene.send(&scene.admin, "DELETE", &gone, &json!({})).await.status(), StatusCode::NO_CONTENT);
    let again = scene.send(&scene.admin, "DELETE", &gone, &json!({})).await;
    assert_eq!(problem(again).await, (404, "HOLIDAY_NOT_FOUND".into()));
}

#[tokio::test]
async fn a_session_tells_who_took_it_and_what_was_remarked() {
    let scene = Scene::start().await;
    let path = format!("/sessions/{}", scene.made.session.0);
    mark(&scene, scene.made.session.0, ["present", "absent", "late"]).await;
    let remarked = scene.send(&scene.teacher, "PATCH", &path, &json!({ "remark": "fire drill" })).await;
    assert_eq!(remarked.json::<Value>().await.unwrap()["remark"], "fire drill");
    let before = scene.get(&scene.teacher, &path).await;
    assert_eq!((&before["taken_by"], &before["taken_at"]), (&Value::Null, &Value::Null));
    let signed = scene.send(&scene.teacher, "POST", &format!("{path}/confirm"), &json!({ "head_count": 2 })).await;
    assert_eq!(signed.status(), 200);
    let after = scene.get(&scene.teacher, &path).await;
    assert_eq!(after["taken_by"]["name"], "teacher");
    assert!(after["taken_by"]["user_id"].is_i64() && after["taken_at"] == after["confirmed_at"], "{after}");
    let sheet = scene.server.get(&format!("/api/v1{path}/sheet?format=csv")).bearer_auth(&scene.teacher);
    let sheet = sheet.send().await.unwrap().text().await.unwrap();
    assert!(sheet.lines().next().unwrap().ends_with(",pilot,taken_by,taken_at,remark,record_key"), "{sheet}");
    assert!(sheet.lines().nth(1).unwrap().contains(",fire drill,"), "{sheet}");
    assert_eq!(scene.send(&scene.teacher, "POST", &format!("{path}/reopen"), &json!({})).await.status(), 200);
    assert_eq!(scene.get(&scene.teacher, &path).await["taken_by"], Value::Null);
}
