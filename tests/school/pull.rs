//! `models pull`: from servers that behave and servers that do not, from folders, out of archives.

use std::fs;

use crate::pack_files::{FILES, Tiny, bytes_of, failure, serve, sha256, zipped};
use crate::support::{Ran, School, command, repository};
use crate::web::{Reply, Server};

#[test]
fn a_pack_arrives_whole_and_a_second_pull_asks_for_nothing() {
    let (tiny, server) = (Tiny::new(), Server::start(|request, _| serve(request)));
    let pulled = tiny.pull(server.address()).expect(0).json();
    assert_eq!(pulled["files"].as_array().unwrap().len(), 4);
    assert_eq!((&pulled["files"][2]["file"], &pulled["files"][2]["outcome"]), (&"onet.onnx".into(), &"fetched".into()));
    tiny.expect_whole();
    let again = tiny.pull(server.address()).expect(0).json();
    assert!(again["files"].as_array().unwrap().iter().all(|f| f["outcome"] == "already_there"));
    assert_eq!(server.seen().len(), 4);
}

#[test]
fn a_connection_that_is_cut_is_continued_where_it_ended() {
    let server = Server::start(|request, before| match before {
        2 => serve(request).cut_after(123_456),
        3 => serve(request).cut_after(10_000),
        _ => serve(request),
    });
    let tiny = Tiny::new();
    tiny.pull(server.address()).expect(0);
    tiny.expect_whole();
    let seen = server.seen();
    let onet: Vec<_> = seen.iter().filter(|r| r.path == "/onet.onnx").collect();
    assert_eq!(onet.iter().map(|r| r.from).collect::<Vec<_>>(), [None, Some(123_456), Some(133_456)]);
    assert!(onet[1..].iter().all(|r| r.if_range.as_deref() == Some("\"v1\"")), "{onet:?}");
}

/// Leaves `onet.onnx.part` with its first 50,000 bytes, taken from `content`.
fn broken_off(tiny: &Tiny, content: Vec<u8>, etag: Option<&'static str>) {
    let server = Server::start(move |request, _| match (request.path.as_str(), request.from) {
        ("/onet.onnx", None) => {
            let reply = Reply::whole(&content).cut_after(50_000);
            etag.map_or_else(|| reply.clone(), |etag| reply.clone().with(&format!("ETag: {etag}")))
        }
        ("/onet.onnx", _) => Reply::status(503),
        _ => serve(request),
    });
    let message = failure(tiny.pull(server.address()), "FETCH_FAILED");
    assert!(message.contains("/onet.onnx") && message.contains("run the command again"), "{message}");
    assert_eq!(fs::metadata(tiny.folder().join("onet.onnx.part")).unwrap().len(), 50_000);
    assert!(!tiny.has("onet.onnx") && !tiny.has("embedder.onnx"));
}

#[test]
fn a_later_run_goes_on_where_the_first_one_failed() {
    let tiny = Tiny::new();
    broken_off(&tiny, bytes_of("onet.onnx"), Some("\"v1\""));
    let server = Server::start(|request, _| serve(request));
    tiny.pull(server.address()).expect(0);
    tiny.expect_whole();
    let seen = server.seen();
    assert_eq!((seen[0].path.as_str(), seen[0].from), ("/onet.onnx", Some(50_000)));
    assert_eq!(seen.len(), 2, "the first two files were there");
}

#[test]
fn a_file_that_changed_on_the_server_is_fetched_anew() {
    let tiny = Tiny::new();
    broken_off(&tiny, vec![0; 200_000], Some("\"v0\""));
    let server = Server::start(|request, _| {
        // As RFC 9110 wants: another validator makes it a plain request.
        let same = request.if_range.as_deref().is_none_or(|tag| tag == "\"v1\"");
        if same { serve(request) } else { Reply::whole(&bytes_of("onet.onnx")) }
    });
    tiny.pull(server.address()).expect(0);
    tiny.expect_whole();
    assert_eq!(server.seen()[0].if_range.as_deref(), Some("\"v0\""));
}

#[test]
fn a_part_of_another_file_is_noticed_by_its_hash_even_without_a_validator() {
    let tiny = Tiny::new();
    broken_off(&tiny, vec![0; 200_000], None);
    let server = Server::start(|request, _| serve(request));
    tiny.pull(server.address()).expect(0);
    tiny.expect_whole();
    let asked: Vec<_> = server.seen().iter().filter(|r| r.path == "/onet.onnx").map(|r| r.from).collect();
    assert_eq!(asked, [Some(50_000), None]);
}

#[test]
fn a_server_that_knows_no_ranges_sends_it_all_again() {
    let tiny = Tiny::new();
    let server = Server::start(|request, before| {
        let whole = Reply::whole(
            &FILES.iter().find_map(|(n, _)| (request.path == format!("/{n}")).then(|| bytes_of(n))).unwrap(),
        );
        if before == 2 { whole.cut_after(150_000) } else { whole }
    });
    tiny.pull(server.address()).expect(0);
    tiny.expect_whole();
    assert_eq!(server.seen()[3].from, Some(150_000), "it was asked to go on");
}

#[test]
fn wrong_bytes_are_never_kept() {
    let other = |request: &crate::web::Request| {
        let mut bytes = bytes_of("rnet.onnx");
        bytes[4321] ^= 1;
        if request.path == "/rnet.onnx" { Reply::ranged(request, &bytes) } else { serve(request) }
    };
    let (tiny, server) = (Tiny::new(), Server::start(move |request, _| other(request)));
    let message = failure(tiny.pull(server.address()), "FETCH_FAILED");
    assert!(message.contains("/rnet.onnx") && message.contains(&sha256(&bytes_of("rnet.onnx"))), "{message}");
    assert!(tiny.has("pnet.onnx") && !tiny.has("rnet.onnx") && !tiny.has("rnet.onnx.part"));
}

#[test]
fn no_more_is_taken_than_the_manifest_allows() {
    let too_long = vec![1_u8; 5_000_000];
    for announced in [true, false] {
        let body = too_long.clone();
        let server = Server::start(move |_, _| {
            let reply = Reply::whole(&body);
            if announced { reply } else { reply.of_unknown_length() }
        });
        let tiny = Tiny::new();
        let message = failure(tiny.pull(server.address()), "FETCH_FAILED");
        assert!(message.contains("70001"), "{message}");
        assert!(!tiny.has("pnet.onnx") && !tiny.has("pnet.onnx.part"));
        assert_eq!(server.seen().len(), 1);
    }
}

#[test]
fn redirects_are_followed_within_the_web_only() {
    let server = Server::start(|request, _| match request.path.strip_prefix("/old/") {
        Some(name) => Reply::status(302).with(&format!("Location: /{name}")),
        None => serve(request),
    });
    let tiny = Tiny::new();
    tiny.pull(&format!("{}/old/", server.address())).expect(0);
    tiny.expect_whole();

    let secret = tiny.data_dir().join("secret");
    fs::write(&secret, bytes_of("pnet.onnx")).unwrap();
    for elsewhere in [format!("file://{}", secret.display()), "ftp://127.0.0.1/pnet.onnx".to_owned()] {
        let server = Server::start(move |_, _| Reply::status(302).with(&format!("Location: {elsewhere}")));
        let tiny = Tiny::new();
        failure(tiny.pull(server.address()), "FETCH_FAILED");
        assert!(!tiny.has("pnet.onnx"));
    }
}

#[test]
fn a_file_that_the_server_does_not_have_is_named() {
    let server = Server::start(|_, _| Reply::status(404));
    let message = failure(Tiny::new().pull(server.address()), "FETCH_FAILED");
    assert!(message.contains("/pnet.onnx") && message.contains("404"), "{message}");
    assert_eq!(server.seen().len(), 1, "what is not there is not asked for again");
}

#[test]
fn an_archive_is_fetched_once_unpacked_and_dropped() {
    let zip = zipped();
    let server = Server::start(move |request, before| match request.path.as_str() {
        "/there/tiny.zip" if before == 0 => Reply::ranged(request, &zip).cut_after(zip.len() / 2),
        "/there/tiny.zip" => Reply::ranged(request, &zip),
        _ => Reply::status(404),
    });
    let url = format!("{}/there/tiny.zip", server.address());
    let tiny = Tiny::in_archive(&url);
    tiny.run(&["pull", "tiny", "--accept-licence"]).expect(0);
    tiny.expect_whole();
    assert_eq!(server.seen().len(), 2);
    assert_eq!(fs::read_dir(tiny.data_dir()).unwrap().count(), 1, "nothing but models/");
    assert_eq!(fs::read_dir(tiny.data_dir().join("models")).unwrap().count(), 1, "nothing but the pack");

    // A server of one's own may hold the archive in place of the files.
    let tiny = Tiny::in_archive("http://127.0.0.1:1/nobody");
    tiny.pull(&format!("{}/there", server.address())).expect(0);
    tiny.expect_whole();
}

#[test]
fn a_machine_without_a_network_pulls_from_a_folder() {
    let stick = tempfile::tempdir().unwrap();
    for (name, _) in FILES {
        fs::write(stick.path().join(name), bytes_of(name)).unwrap();
    }
    let tiny = Tiny::new();
    tiny.pull(stick.path().to_str().unwrap()).expect(0);
    tiny.expect_whole();

    fs::write(stick.path().join("rnet.onnx"), "something else").unwrap();
    let tiny = Tiny::new();
    let message = failure(tiny.pull(stick.path().to_str().unwrap()), "FETCH_FAILED");
    assert!(message.contains("rnet.onnx") && message.contains("14 bytes"), "{message}");
    assert!(!tiny.has("rnet.onnx") && !tiny.has("rnet.onnx.part"));

    fs::remove_file(stick.path().join("rnet.onnx")).unwrap();
    fs::write(stick.path().join("tiny.zip"), zipped()).unwrap();
    let message = failure(Tiny::new().pull(stick.path().to_str().unwrap()), "FETCH_FAILED");
    assert!(message.contains("rnet.onnx is not in"), "{message}");
    let tiny = Tiny::in_archive("https://nowhere.invalid/tiny.zip");
    tiny.pull(stick.path().to_str().unwrap()).expect(0);
    tiny.expect_whole();
    failure(tiny.pull("/no/such/folder"), "INVALID_SETTINGS");
    failure(tiny.pull("ftp://127.0.0.1/"), "INVALID_SETTINGS");
}

#[test]
fn nothing_comes_before_the_licence_is_accepted_and_it_is_asked_for_once() {
    let (tiny, server) = (Tiny::new(), Server::start(|request, _| serve(request)));
    let pull = ["pull", "tiny", "--from", server.address()];
    let ran = tiny.run(&pull);
    assert!(
        ran.err.contains("trained on research data") && ran.err.contains("commercial use NOT allowed"),
        "{}",
        ran.err
    );
    let message = failure(ran, "LICENCE_NOT_ACCEPTED");
    assert!(message.contains("--accept-licence"), "{message}");
    assert_eq!(server.seen().len(), 0);
    tiny.pull(server.address()).expect(0);
    fs::remove_file(tiny.folder().join("rnet.onnx")).unwrap();
    let ran = tiny.run(&pull).expect(0);
    assert!(!ran.err.contains("licence"), "it is not shown again: {}", ran.err);
    tiny.expect_whole();
}

#[test]
fn what_cannot_be_fetched_is_refused_before_the_first_byte() {
    let server = Server::start(|request, _| serve(request));
    let tiny = Tiny::with_unknown_embedder();
    let message = failure(tiny.pull(server.address()), "FETCH_FAILED");
    assert!(message.contains("embedder.onnx") && message.contains("models import --as tiny"), "{message}");
    let message = failure(Tiny::new().run(&["pull", "tiny", "--accept-licence"]), "FETCH_FAILED");
    assert!(message.contains("nobody publishes pnet.onnx"), "{message}");
    failure(tiny.run(&["pull", "no-such-pack", "--accept-licence"]), "MODEL_NOT_LOADED");
    assert_eq!(server.seen().len(), 0);
}

/// The program's own folder only describes the pack; the school's gets the files, and the nets run.
#[test]
fn a_described_pack_is_pulled_into_the_school_and_used() {
    let weights = repository().join("../shared/models");
    if !weights.is_dir() {
        println!("skipped: the weights of third parties are not there");
        return;
    }
    let school = School::with_roster();
    let pull = ["models", "pull", "buffalo-s-dequant", "--accept-licence", "--from", weights.to_str().unwrap()];
    school.run(&pull).expect(0);
    assert!(school.path().join("models/buffalo-s-dequant/pack.toml").is_file());
    assert!(!repository().join("models/buffalo-s-dequant/scrfd_500m_kps_batch.onnx").exists());
    let portraits = crate::support::demo("dataset");
    let args = ["--json", "--pack", "buffalo-s-dequant", "enrol", portraits.to_str().unwrap(), "--consent", "recorded"];
    let ran = Ran::of(command(school.path(), &args).output().unwrap());
    assert!(ran.code == 0 || ran.code == 3, "{ran:?}");
    assert!(ran.json()["photos"].as_array().unwrap().iter().any(|p| p["status"] == "enrolled"), "{}", ran.out);
}

#[test]
fn packs_without_their_files_are_offers_not_failures() {
    let school = School::empty();
    let packs = school.run(&["--json", "models", "list"]).expect(0).json();
    let state = |name: &str| packs.as_array().unwrap().iter().find(|p| p["name"] == name).unwrap().clone();
    assert_eq!((state("starter")["state"].as_str(), state("starter")["active"].as_bool()), (Some("ready"), Some(true)));
    let large = state("buffalo-l");
    assert_eq!((large["state"].as_str(), large["commercial_use"].as_bool()), (Some("not_fetched"), Some(false)));
    assert!(large["untested"].is_string() && large["calibrated"] == false, "{large}");
    school.run(&["models", "verify"]).expect(0);
    school.run(&["models", "verify", "buffalo-l"]).expect(3);
    let ran = school.run(&["--json", "--pack", "buffalo-l", "models", "bench", "x.jpg"]);
    assert_eq!(ran.code, 1, "{ran:?}");
}
