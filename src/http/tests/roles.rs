//! Every route asked as every role. The rows come from the table that the router is built of.

use std::fmt::Write as _;

use super::server::TestServer;
use crate::app::School;
use crate::db::testing::{class, new_member, new_photo, new_session, student};
use crate::db::{members, photos, sessions};
use crate::domain::access::{Access, Role, Scope};
use crate::domain::ids::ClassId;
use crate::http::table::{ROOT, Row, Rule, rows};
use crate::http::tests::snapshot;

/// Things of one class that paths can name.
struct Things {
    class: ClassId,
    ids: Vec<(&'static str, i64)>,
}

impl Things {
    async fn of(school: &School, name: &'static str) -> Self {
        let made = school.change(move |conn| {
            let class = class(conn, name)?;
            let student = student(conn, name)?;
            let member = members::insert(conn, &new_member(class, student, "1"))?;
            let session = sessions::find_or_insert(conn, &new_session(class, "2025-09-01 03:30:00"))?.id;
            let photo = photos::insert(conn, &new_photo(session, 1))?;
            Ok((class, student, member, session, photo))
        });
        let (class, student, member, session, photo) = made.await.unwrap();
        let ids = vec![
            ("class_id", class.0),
            ("student_id", student.0),
            ("member_id", member.0),
            ("session_id", session.0),
            ("photo_id", photo.0),
        ];
        Self { class, ids }
    }

    /// The path with our ids in it; what we have none of is named by a number that nothing has.
    fn path(&self, row: &Row) -> String {
        let mut path = row.path.clone();
        for name in row.parameters() {
            let id = self.ids.iter().find(|(known, _)| *known == name).map_or(999_999, |(_, id)| *id);
            path = path.replace(&format!("{{{name}}}"), &id.to_string());
        }
        format!("{ROOT}{path}")
    }
}

/// Whether a row's path names something that belongs to a class.
fn is_bound(row: &Row) -> bool {
    let bound = ["class_id", "student_id", "member_id", "session_id", "photo_id", "face_id", "sample_id", "leave_id"];
    row.parameters().any(|name| bound.contains(&name) || ["job_id", "export_id"].contains(&name))
}

fn access(rule: Rule) -> Option<Access> {
    match rule {
        Rule::Public | Rule::SignedIn => None,
        Rule::Only(access) | Rule::LinkOr(access) => Some(access),
    }
}

/// Who asks, and whether the table lets them.
struct Asker {
    name: String,
    credential: Option<String>,
    admitted: Box<dyn Fn(&Row) -> bool>,
}

#[tokio::test]
async fn every_route_admits_whom_the_table_says_and_nobody_else() {
    let server = TestServer::start().await;
    let own = Things::of(&server.school, "9").await;
    let foreign = Things::of(&server.school, "10").await;
    let of_role = |role: Role| move |row: &Row| access(row.rule).is_none_or(|access| access.roles.contains(&role));
    let mut askers =
        vec![Asker { name: "nobody".into(), credential: None, admitted: Box::new(|row| row.rule == Rule::Public) }];
    for role in [Role::Admin, Role::Teacher, Role::Viewer] {
        let classes = if role == Role::Teacher { vec![own.class] } else { Vec::new() };
        let credential = Some(server.user(role.as_str(), role, &classes).await);
        askers.push(Asker { name: role.to_string(), credential, admitted: Box::new(of_role(role)) });
    }
    for &scope in Scope::ALL {
        let credential = Some(server.token(&[scope]).await);
        let admitted = move |row: &Row| access(row.rule).is_none_or(|access| access.scope == Some(scope));
        askers.push(Asker { name: format!("token {scope}"), credential, admitted: Box::new(admitted) });
    }
    let mut wrong = String::new();
    for row in rows() {
        for asker in &askers {
            let things = if asker.name == "teacher" { &foreign } else { &own };
            let status = ask(&server, asker, &row, things).await;
            let passed = !matches!(status, 401 | 403);
            let expected = (asker.admitted)(&row) && !(asker.name == "teacher" && is_bound(&row));
            if passed != expected {
                writeln!(wrong, "{} {} as {}: {status}", row.method, row.path, asker.name).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// Without a body: who may ask is decided before anything else is looked at. Nothing that exists is deleted.
async fn ask(server: &TestServer, asker: &Asker, row: &Row, things: &Things) -> u16 {
    let nothing = Things { class: things.class, ids: Vec::new() };
    let is_teacher = asker.name == "teacher";
    let path = if row.method == "DELETE" && !is_teacher { nothing.path(row) } else { things.path(row) };
    let mut request = server.request(&row.method, &path);
    if let Some(credential) = &asker.credential {
        request = request.bearer_auth(credential);
    }
    // Streams never end by themselves: the head of the answer is enough.
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    // Who is refused is told why by a code; a login that fails is none of that.
    if matches!(status, 401 | 403) && row.rule == Rule::Public { 400 } else { status }
}

#[tokio::test]
async fn a_teacher_reaches_the_things_of_their_own_class() {
    let server = TestServer::start().await;
    let own = Things::of(&server.school, "9").await;
    let token = server.user("teacher", Role::Teacher, &[own.class]).await;
    for row in rows().into_iter().filter(|row| row.method == "GET" && is_bound(row)) {
        if row.parameters().any(|name| !own.ids.iter().any(|(known, _)| *known == name)) {
            continue;
        }
        let status = server.get(&own.path(&row)).bearer_auth(&token).send().await.unwrap().status().as_u16();
        assert!(!matches!(status, 401 | 403) && status < 500, "{}: {status}", row.path);
    }
}

/// The table as people read it. A route that is new, gone or open to others than before shows here.
#[test]
fn the_table_is_as_it_was_reviewed() {
    let mut table = String::from(
        "# Routes\n\nWho may call what, below `/api/v1`. Made from the table that the router is built of.\n\n\
         | method | path | people | tokens with | audit |\n| --- | --- | --- | --- | --- |\n",
    );
    for row in rows() {
        let (people, scope) = match row.rule {
            Rule::Public => ("everybody".to_owned(), "-".to_owned()),
            Rule::SignedIn => ("all roles".to_owned(), "any scope".to_owned()),
            Rule::Only(access) | Rule::LinkOr(access) => {
                let roles: Vec<&str> = access.roles.iter().map(|role| role.as_str()).collect();
                let link = if matches!(row.rule, Rule::LinkOr(_)) { ", signed link" } else { "" };
                (format!("{}{link}", roles.join(", ")), access.scope.map_or("-".into(), |scope| scope.to_string()))
            }
        };
        let audit = if row.audit == crate::http::table::Audit::Line { row.operation.as_str() } else { "" };
        writeln!(table, "| {} | {} | {people} | {scope} | {audit} |", row.method, row.path).unwrap();
    }
    snapshot("deploy/routes.md", &table);
}

#[test]
fn operations_have_names_of_their_own() {
    let mut names: Vec<String> = rows().into_iter().map(|row| row.operation).collect();
    names.sort();
    let twice: Vec<&String> = names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| &pair[0]).collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert!(names.iter().all(|name| !name.is_empty()));
}
