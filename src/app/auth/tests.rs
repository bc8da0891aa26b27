//! Accounts and tokens on real databases: what holds, what ends, and what can be told from outside.

use std::time::Duration;

use argon2::password_hash::PasswordHasher;
use chrono::{DateTime, TimeDelta, Utc};

use super::users::{Newcomer, User, UserChange, UserFilter};
use super::{
    Credential, Grant, Keys, Password, authenticate, change_own_password, login, logout, prune, refresh, tokens, users,
};
use crate::app::School;
use crate::app::audit::{self, AuditFilter, AuditLine, By};
use crate::app::error::{Code, Error};
use crate::app::testing::{run, school};
use crate::db::testing::{class, on_each_database};
use crate::db::users as user_rows;
use crate::db::{Db, DbError, Listed, Page};
use crate::domain::access::{Actor, Caller, Reach, Role, Scope};
use crate::domain::ids::{ClassId, TokenId, UserId};

const PASSWORD: &str = "correct horse";

fn keys() -> Keys {
    Keys::from_secret(b"an example of more than 32 characters")
}

/// So many seconds after the tests' beginning.
fn at(secs: i64) -> DateTime<Utc> {
    "2026-01-05T08:00:00.25Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(secs)
}

fn password(text: &str) -> Password {
    Password::from(text.to_owned())
}

fn nobody() -> By {
    By { address: Some("192.0.2.7".into()), ..By::from(Actor::nobody()) }
}

fn newcomer(name: &str, role: Role) -> Newcomer {
    Newcomer { name: name.into(), display_name: None, role, password: password(PASSWORD), classes: Vec::new() }
}

async fn user(school: &School, name: &str, role: Role) -> User {
    users::create(school, By::command(), newcomer(name, role), at(0)).await.unwrap()
}

async fn sign_in(school: &School, name: &str, typed: &str, secs: i64) -> Result<Grant, Error> {
    login(school, &keys(), (name.into(), password(typed)), nobody(), at(secs)).await
}

async fn whose(school: &School, access_token: &str, secs: i64) -> Result<Caller, Error> {
    authenticate(school, &keys(), &Credential::Access(access_token.into()), at(secs)).await
}

async fn renew(school: &School, grant: &Grant, secs: i64) -> Result<Grant, Error> {
    refresh(school, &keys(), &grant.refresh_token, nobody(), at(secs)).await
}

async fn change(school: &School, id: UserId, change: UserChange) -> Result<User, Error> {
    users::change(school, By::command(), id, change, at(1)).await
}

fn inactive() -> UserChange {
    UserChange { active: Some(false), ..UserChange::default() }
}

async fn lines(school: &School, action: &str) -> Vec<AuditLine> {
    let filter = AuditFilter { action: Some(action.into()), ..AuditFilter::default() };
    audit::list(school, filter, Page::first(500)).await.unwrap().rows
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Error>, code: Code) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.code, code, "{error}");
    error
}

fn class_of(db: &Db, name: &str) -> ClassId {
    db.run_blocking::<_, DbError>(|conn| class(conn, name)).unwrap()
}

on_each_database! {
    fn role_and_classes_are_those_of_the_database_at_that_moment(db) {
        let (nine, ten) = (class_of(db, "9"), class_of(db, "10"));
        run(async {
            let school = school(db);
            let new = Newcomer { classes: vec![ten, nine, ten], ..newcomer("ann", Role::Teacher) };
            let ann = users::create(&school, By::command(), new, at(0)).await.unwrap();
            let grant = sign_in(&school, " ANN ", PASSWORD, 1).await.unwrap();
            assert_eq!(grant.expires_in, 15 * 60);
            let caller = whose(&school, &grant.access_token, 1).await.unwrap();
            assert_eq!((caller.actor.clone(), caller.role), (Actor::user(ann.id, "ann"), Role::Teacher));
            assert_eq!(caller.reach, Reach::Only(vec![nine, ten]));
            let fewer = UserChange { classes: Some(vec![ten]), ..UserChange::default() };
            change(&school, ann.id, fewer).await.unwrap();
            assert_eq!(whose(&school, &grant.access_token, 2).await.unwrap().reach, Reach::Only(vec![ten]));
            let viewer = UserChange { role: Some(Role::Viewer), ..UserChange::default() };
            assert!(change(&school, ann.id, viewer).await.unwrap().classes.is_empty());
            let caller = whose(&school, &grant.access_token, 2).await.unwrap();
            assert_eq!((caller.role, caller.reach), (Role::Viewer, Reach::All));
            change(&school, ann.id, inactive()).await.unwrap();
            refused(whose(&school, &grant.access_token, 2).await, Code::Unauthenticated);
        });
    }

    fn wrong_password_unknown_name_and_closed_account_cannot_be_told_apart(db) {
        run(async {
            let school = school(db);
            user(&school, "ann", Role::Admin).await;
            let ben = user(&school, "ben", Role::Viewer).await;
            change(&school, ben.id, inactive()).await.unwrap();
            for (name, typed) in [("ann", "wrong horse"), ("nobody", PASSWORD), ("ben", PASSWORD)] {
                let mut said = Vec::new();
                for secs in [1, 2, 3, 4, 5, 6, 34, 36, 37] {
                    let error = sign_in(&school, name, typed, secs).await.unwrap_err();
                    said.push((error.code, error.message, error.retry_after));
                }
                let wrong = (Code::InvalidCredentials, "name and password do not belong together".to_owned(), None);
                let wait = |secs| {
                    let message = format!("too many wrong passwords; try again in {secs} s");
                    (Code::TooManyAttempts, message, Some(Duration::from_secs(secs)))
                };
                let five = [wrong.clone(), wrong.clone(), wrong.clone(), wrong.clone(), wrong.clone()];
                let then = [wait(29), wait(1), wrong, wait(59)];
                assert_eq!(said, [&five[..], &then[..]].concat(), "{name}");
            }
        });
    }

    fn a_right_password_is_refused_during_the_wait_and_forgets_the_failures_after_it(db) {
        run(async {
            let school = school(db);
            let ann = user(&school, "ann", Role::Admin).await;
            for secs in 1..=5 {
                refused(sign_in(&school, "ann", "wrong horse", secs).await, Code::InvalidCredentials);
            }
            refused(sign_in(&school, "ann", PASSWORD, 34).await, Code::TooManyAttempts);
            assert!(users::get(&school, ann.id).await.unwrap().locked_until.is_some());
            sign_in(&school, "ann", PASSWORD, 35).await.unwrap();
            assert_eq!(users::get(&school, ann.id).await.unwrap().locked_until, None);
            refused(sign_in(&school, "ann", "wrong horse", 36).await, Code::InvalidCredentials);
            sign_in(&school, "ann", PASSWORD, 37).await.unwrap();
            assert_eq!((lines(&school, "auth.fail").await.len(), lines(&school, "auth.login").await.len()), (6, 2));
        });
    }

    fn of_many_guesses_at_once_only_five_are_answered(db) {
        run(async {
            let school = school(db);
            user(&school, "ann", Role::Admin).await;
            for name in ["ann", "nobody"] {
                let guesses: Vec<_> = (0..12).map(|n| {
                    let school = school.clone();
                    tokio::spawn(async move { sign_in(&school, name, &format!("wrong horse {n}"), 1).await.unwrap_err().code })
                }).collect();
                let mut answered = 0;
                for guess in guesses {
                    match guess.await.unwrap() {
                        Code::InvalidCredentials => answered += 1,
                        code => assert_eq!(code, Code::TooManyAttempts),
                    }
                }
                assert_eq!(answered, 5, "{name}");
            }
        });
    }

    fn a_refresh_token_is_good_once_and_a_copy_ends_its_login(db) {
        run(async {
            let school = school(db);
            let ann = user(&school, "ann", Role::Admin).await;
            let (first, elsewhere) =
                (sign_in(&school, "ann", PASSWORD, 1).await.unwrap(), sign_in(&school, "ann", PASSWORD, 1).await.unwrap());
            let second = renew(&school, &first, 10).await.unwrap();
            assert_ne!(second.refresh_token, first.refresh_token);
            assert_eq!(whose(&school, &second.access_token, 10).await.unwrap().actor.id, Some(ann.id.0));
            let third = renew(&school, &second, 20).await.unwrap();
            let reused = refused(renew(&school, &first, 30).await, Code::Unauthenticated);
            assert!(reused.message.contains("used before"), "{reused}");
            refused(renew(&school, &third, 31).await, Code::Unauthenticated);
            renew(&school, &elsewhere, 32).await.unwrap();
            let [line] = &lines(&school, "auth.reuse").await[..] else { panic!("one line") };
            assert_eq!((line.object_id, line.address.as_deref()), (Some(ann.id.0), Some("192.0.2.7")));
            refused(renew(&school, &Grant { refresh_token: "made-up".into(), ..first }, 33).await, Code::Unauthenticated);
        });
    }

    fn a_lost_answer_is_given_again_for_a_minute_and_no_longer(db) {
        run(async {
            let school = school(db);
            user(&school, "ann", Role::Admin).await;
            let first = sign_in(&school, "ann", PASSWORD, 1).await.unwrap();
            let lost = renew(&school, &first, 10).await.unwrap();
            let second = renew(&school, &first, 70).await.unwrap();
            // Whoever has the one that was lost comes too late once the other is in use.
            let third = renew(&school, &second, 75).await.unwrap();
            refused(renew(&school, &lost, 80).await, Code::Unauthenticated);
            refused(renew(&school, &third, 81).await, Code::Unauthenticated);
            assert_eq!(lines(&school, "auth.reuse").await.len(), 1);

            let first = sign_in(&school, "ann", PASSWORD, 100).await.unwrap();
            let lost = renew(&school, &first, 110).await.unwrap();
            refused(renew(&school, &first, 171).await, Code::Unauthenticated);
            refused(renew(&school, &lost, 172).await, Code::Unauthenticated);
        });
    }

    fn of_two_who_renew_at_once_at_most_one_goes_on(db) {
        run(async {
            let school = school(db);
            user(&school, "ann", Role::Admin).await;
            let grant = sign_in(&school, "ann", PASSWORD, 1).await.unwrap();
            let (one, other) = tokio::join!(renew(&school, &grant, 2), renew(&school, &grant, 2));
            let (one, other) = (one.unwrap(), other.unwrap());
            let later = [renew(&school, &one, 100).await, renew(&school, &other, 101).await];
            assert!(later.iter().filter(|grant| grant.is_ok()).count() <= 1);
        });
    }

    fn refresh_tokens_end_with_their_time_logout_and_account(db) {
        run(async {
            let school = school(db);
            let ann = user(&school, "ann", Role::Admin).await;
            user(&school, "cat", Role::Admin).await;
            let month = 30 * 24 * 3600;
            let grant = sign_in(&school, "ann", PASSWORD, 0).await.unwrap();
            let grant = renew(&school, &grant, month - 1).await.unwrap();
            refused(renew(&school, &grant, 2 * month - 1).await, Code::Unauthenticated);
            assert_eq!(prune(&school, at(month + 24 * 3600)).await.unwrap(), 0);
            assert_eq!(prune(&school, at(3 * month)).await.unwrap(), 2);

            let grant = sign_in(&school, "ann", PASSWORD, 0).await.unwrap();
            let next = renew(&school, &grant, 1).await.unwrap();
            logout(&school, &next.refresh_token, nobody(), at(2)).await.unwrap();
            refused(renew(&school, &next, 3).await, Code::Unauthenticated);
            logout(&school, &next.refresh_token, nobody(), at(4)).await.unwrap();
            logout(&school, "made-up", nobody(), at(4)).await.unwrap();
            let [line] = &lines(&school, "auth.logout").await[..] else { panic!("one line") };
            assert_eq!((line.actor.as_str(), line.actor_id), ("ann", Some(ann.id.0)));

            let grant = sign_in(&school, "ann", PASSWORD, 5).await.unwrap();
            change(&school, ann.id, inactive()).await.unwrap();
            change(&school, ann.id, UserChange { active: Some(true), ..UserChange::default() }).await.unwrap();
            refused(renew(&school, &grant, 6).await, Code::Unauthenticated);
        });
    }

    fn a_new_password_signs_everybody_out_but_whoever_has_set_it(db) {
        run(async {
            let school = school(db);
            let ann = user(&school, "ann", Role::Teacher).await;
            let before = sign_in(&school, "ann", PASSWORD, 1).await.unwrap();
            let by = || nobody().acting_as(Actor::user(ann.id, "ann"));
            let own = |old: &str, new: &str| {
                let (school, pair, by) = (school.clone(), (password(old), password(new)), by());
                async move { change_own_password(&school, &keys(), ann.id, pair, by, at(2)).await }
            };
            refused(own("wrong horse", "battery staple").await, Code::InvalidCredentials);
            refused(own(PASSWORD, "short").await, Code::WeakPassword);
            let after = own(PASSWORD, "battery staple").await.unwrap();
            assert_eq!(whose(&school, &after.access_token, 2).await.unwrap().actor.id, Some(ann.id.0));
            refused(whose(&school, &before.access_token, 2).await, Code::Unauthenticated);
            refused(renew(&school, &before, 2).await, Code::Unauthenticated);
            refused(sign_in(&school, "ann", PASSWORD, 3).await, Code::InvalidCredentials);

            let after = renew(&school, &after, 3).await.unwrap();
            refused(users::set_password(&school, By::command(), ann.id, password("ann"), at(4)).await, Code::WeakPassword);
            users::set_password(&school, By::command(), ann.id, password("third password"), at(4)).await.unwrap();
            refused(whose(&school, &after.access_token, 4).await, Code::Unauthenticated);
            refused(renew(&school, &after, 4).await, Code::Unauthenticated);
            sign_in(&school, "ann", "third password", 5).await.unwrap();
            refused(users::set_password(&school, By::command(), UserId(99), password(PASSWORD), at(4)).await, Code::UserNotFound);
            assert_eq!(lines(&school, "user.password").await.len(), 2);
        });
    }

    fn an_old_hash_is_replaced_when_its_password_is_typed(db) {
        let older = argon2::Params::new(64, 1, 1, None).unwrap();
        let older = argon2::Argon2::from(older).hash_password(PASSWORD.as_bytes()).unwrap().to_string();
        run(async {
            let school = school(db);
            let ann = user(&school, "ann", Role::Teacher).await;
            let old = older.clone();
            school.change(move |conn| Ok(user_rows::set_hash(conn, ann.id, &old)?)).await.unwrap();
            let hash = || school.read(move |conn| Ok(user_rows::password_hash(conn, ann.id)?));
            refused(sign_in(&school, "ann", "wrong horse", 1).await, Code::InvalidCredentials);
            assert_eq!(hash().await.unwrap(), older);
            let grant = sign_in(&school, "ann", PASSWORD, 1).await.unwrap();
            assert!(hash().await.unwrap().contains("m=19456"));
            whose(&school, &grant.access_token, 1).await.unwrap();
            assert_eq!(users::get(&school, ann.id).await.unwrap().password_changed_at, ann.password_changed_at);
        });
    }

    fn somebody_is_left_who_can_give_rights(db) {
        run(async {
            let school = school(db);
            let (ann, ben) = (user(&school, "ann", Role::Admin).await, user(&school, "ben", Role::Admin).await);
            user(&school, "cat", Role::Teacher).await;
            let demoted = || UserChange { role: Some(Role::Viewer), ..UserChange::default() };
            let (one, other) = tokio::join!(change(&school, ann.id, demoted()), change(&school, ben.id, inactive()));
            let (won, lost): (Vec<_>, Vec<_>) = [one, other].into_iter().partition(Result::is_ok);
            assert_eq!((won.len(), lost.len()), (1, 1));
            refused(lost.into_iter().next().unwrap(), Code::LastAdmin);
            let last = if users::get(&school, ann.id).await.unwrap().role == Role::Admin { ann.id } else { ben.id };
            refused(change(&school, last, inactive()).await, Code::LastAdmin);
            refused(change(&school, last, demoted()).await, Code::LastAdmin);
            let renamed = UserChange { display_name: Some("The Head".into()), role: Some(Role::Admin), ..UserChange::default() };
            assert_eq!(change(&school, last, renamed).await.unwrap().display_name, "The Head");
        });
    }

    fn users_are_made_listed_and_changed_with_a_line_for_each(db) {
        let nine = class_of(db, "9");
        run(async {
            let school = school(db);
            let create = |new| users::create(&school, By::command(), new, at(0));
            let ann = create(Newcomer { classes: vec![nine], ..newcomer("ann", Role::Teacher) }).await.unwrap();
            user(&school, "Abe", Role::Admin).await;
            refused(create(newcomer("ANN", Role::Viewer)).await, Code::NameTaken);
            refused(create(newcomer("robot", Role::Machine)).await, Code::InvalidRequest);
            refused(create(newcomer("two words", Role::Viewer)).await, Code::InvalidRequest);
            refused(create(Newcomer { password: password("short"), ..newcomer("x", Role::Viewer) }).await, Code::WeakPassword);
            refused(create(Newcomer { classes: vec![nine], ..newcomer("x", Role::Viewer) }).await, Code::InvalidRequest);
            refused(create(Newcomer { classes: vec![ClassId(99)], ..newcomer("x", Role::Teacher) }).await, Code::ClassNotFound);
            let Listed { rows, total } = users::list(&school, UserFilter::default(), Page::first(9)).await.unwrap();
            assert_eq!((rows.iter().map(|u| u.name.as_str()).collect::<Vec<_>>(), total), (vec!["Abe", "ann"], 2));
            assert_eq!((rows[1].classes[0].class.as_str(), rows[1].classes[0].id), ("9", nine));
            assert_eq!(users::find(&school, "ANN".into()).await.unwrap(), ann);
            refused(users::find(&school, "x".into()).await, Code::UserNotFound);
            refused(change(&school, UserId(99), inactive()).await, Code::UserNotFound);
            let promoted = UserChange { role: Some(Role::Viewer), ..UserChange::default() };
            change(&school, ann.id, promoted).await.unwrap();
            let made = lines(&school, "user.create").await;
            assert_eq!((made.len(), made[1].actor.as_str(), made[1].object_id), (2, "command line", Some(ann.id.0)));
            assert_eq!(made[1].detail, serde_json::json!({ "role": "teacher", "classes": [nine] }));
            change(&school, ann.id, UserChange { role: Some(Role::Viewer), ..UserChange::default() }).await.unwrap();
            let changed = lines(&school, "user.change").await;
            assert_eq!(changed.len(), 1, "what was so already is no change");
            let expected = serde_json::json!({ "role": ["teacher", "viewer"], "classes": [[nine], []] });
            assert_eq!(changed[0].detail, expected);
        });
    }

    fn a_token_of_another_system_opens_what_its_scopes_say_until_it_ends(db) {
        run(async {
            let school = school(db);
            let ann = user(&school, "ann", Role::Admin).await;
            let by = || By::from(Actor::user(ann.id, "ann"));
            let wish = |expires_at| tokens::TokenWish {
                name: " bus ".into(), scopes: vec![Scope::Record, Scope::Roster, Scope::Record], expires_at,
            };
            let made = tokens::create(&school, by(), wish(Some(at(1000))), at(0)).await.unwrap();
            let id = made.token.id;
            assert!(made.secret.starts_with("rc_") && made.secret.len() == 46 && made.secret.starts_with(&made.token.hint));
            assert_eq!((made.token.scopes.clone(), made.token.created_by), (vec![Scope::Roster, Scope::Record], Some(ann.id)));
            assert!(!format!("{made:?}").contains(&made.secret));
            let credential = Credential::Token(made.secret.clone());
            let check = async |secs| authenticate(&school, &keys(), &credential, at(secs)).await;
            let used = async || tokens::get(&school, id).await.unwrap().last_used_at;
            let caller = check(1).await.unwrap();
            assert_eq!((caller.actor, caller.role), (Actor::token(id, "bus"), Role::Machine));
            assert_eq!((caller.scopes, caller.reach), (vec![Scope::Roster, Scope::Record], Reach::All));
            assert_eq!(used().await, Some(at(1)));
            check(60).await.unwrap();
            assert_eq!(used().await, Some(at(1)), "noted once a minute");
            check(61).await.unwrap();
            assert_eq!(used().await, Some(at(61)));
            refused(check(1000).await, Code::Unauthenticated);
            check(999).await.unwrap();
            tokens::revoke(&school, by(), id, at(500)).await.unwrap();
            refused(check(501).await, Code::Unauthenticated);
            refused(tokens::revoke(&school, by(), id, at(502)).await, Code::TokenNotFound);
            refused(tokens::revoke(&school, by(), TokenId(99), at(502)).await, Code::TokenNotFound);
            refused(tokens::create(&school, by(), wish(Some(at(0))), at(0)).await, Code::InvalidRequest);
            let empty = tokens::TokenWish { scopes: Vec::new(), ..wish(None) };
            refused(tokens::create(&school, by(), empty, at(0)).await, Code::InvalidRequest);
            assert_eq!((lines(&school, "token.create").await.len(), lines(&school, "token.revoke").await.len()), (1, 1));
        });
    }

    fn the_log_holds_nothing_that_was_typed_as_a_password_or_is_a_token(db) {
        run(async {
            let school = school(db);
            user(&school, "ann", Role::Admin).await;
            // People type their password where the name belongs.
            refused(sign_in(&school, "hunter2 is mine", "ann", 1).await, Code::InvalidCredentials);
            let grant = sign_in(&school, "ann", PASSWORD, 1).await.unwrap();
            let next = renew(&school, &grant, 2).await.unwrap();
            refused(renew(&school, &grant, 63).await, Code::Unauthenticated);
            let wish = tokens::TokenWish { name: "bus".into(), scopes: vec![Scope::Roster], expires_at: None };
            let made = tokens::create(&school, By::command(), wish, at(0)).await.unwrap();
            let all = audit::list(&school, AuditFilter::default(), Page::first(500)).await.unwrap();
            assert_eq!(all.total, 5);
            let log = serde_json::to_string(&all.rows).unwrap();
            for secret in ["hunter2", PASSWORD, &made.secret, &grant.refresh_token, &next.refresh_token, &grant.access_token] {
                assert!(!log.contains(secret), "{secret} in {log}");
            }
        });
    }
}

#[test]
fn headers_carry_one_credential() {
    let said = |authorization, key| Credential::from_headers(authorization, key);
    let token = || Some(Credential::Token("rc_abc".into()));
    assert_eq!(said(None, None).unwrap(), None);
    assert_eq!(said(Some("Bearer eyJ.x.y"), None).unwrap(), Some(Credential::Access("eyJ.x.y".into())));
    assert_eq!(said(Some("bearer  rc_abc "), None).unwrap(), token());
    assert_eq!(said(None, Some("rc_abc")).unwrap(), token());
    assert_eq!(said(Some("Bearer rc_abc"), Some("rc_other")).unwrap(), token());
    refused(said(Some("Basic YTpi"), None), Code::Unauthenticated);
    refused(said(Some("Bearer"), None), Code::Unauthenticated);
    refused(said(None, Some("eyJ.x.y")), Code::Unauthenticated);
    assert!(!format!("{:?}", token()).contains("abc"));
}
