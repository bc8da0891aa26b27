//! One behaviour on both databases.

use crate::postgres::Server;
use crate::support::{Photos, School, demo, substance};

#[test]
fn the_same_folder_gives_the_same_report_on_sqlite_and_postgres() {
    let photos = Photos::none();
    for entry in std::fs::read_dir(demo("class_photos")).unwrap() {
        let path = entry.unwrap().path();
        photos.add(path.file_name().unwrap().to_str().unwrap(), &std::fs::read(&path).unwrap());
    }
    let (file, server) = (School::enrolled(), School::enrolled_on(Server::shared()));
    let (on_file, on_server) = (file.batch(&photos, 0), server.batch(&photos, 0));
    assert_eq!(on_file["photos"].as_array().unwrap().len(), 4);
    assert_eq!(substance(&on_file), substance(&on_server));
}
