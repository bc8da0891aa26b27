//! The drawn school that comes with the repository: every face, none besides.

use std::collections::BTreeMap;

use rollcall::domain::geometry::BoundingBox;

use crate::support::{boxes, demo, pairs, root, starter_engine};

#[test]
fn all_75_faces_of_the_class_photos_are_found_and_nothing_else() {
    let mut truth: BTreeMap<String, Vec<BoundingBox>> = BTreeMap::new();
    let mut rows = csv::Reader::from_path(root().join("dataset/demo/truth.csv")).unwrap();
    for row in rows.deserialize() {
        let (photo, _, x, y, w, h): (String, String, f32, f32, f32, f32) = row.unwrap();
        truth.entry(photo).or_default().push(BoundingBox::from_xywh(x, y, w, h));
    }
    assert_eq!(truth.values().map(Vec::len).sum::<usize>(), 75);
    for (photo, wanted) in truth {
        let analysis = starter_engine().analyse(&demo(&format!("class_photos/{photo}"))).unwrap();
        let found: Vec<_> = analysis.faces.iter().map(|f| f.detection).collect();
        let matched = pairs(&wanted, &boxes(&found), 0.4).len();
        println!("{photo}: {matched} of {} found, {} false", wanted.len(), found.len() - matched);
        assert_eq!((matched, found.len()), (wanted.len(), wanted.len()), "{photo}");
        assert!(analysis.faces.iter().all(|f| f.embedding.as_ref().is_ok_and(|e| e.dims() == 512)));
    }
}

#[test]
fn two_portraits_of_one_student_are_nearer_than_those_of_others() {
    let students = ["Aarav_Nutmegson_CSE-A-01", "Mei_Tidewell_CSE-A-19", "Omar_Cedarquay_CSE-A-20"];
    let embed = |student: &str, file: &str| {
        let mut faces = starter_engine().analyse(&demo(&format!("dataset/{student}/{file}"))).unwrap().faces;
        assert_eq!(faces.len(), 1, "{student} {file}");
        faces.remove(0).embedding.unwrap()
    };
    let first = students.map(|s| embed(s, "face.jpg"));
    let second = students.map(|s| embed(s, "face_2.jpg"));
    for (i, a) in first.iter().enumerate() {
        for (j, b) in second.iter().enumerate() {
            let cosine = a.cosine(b);
            assert!(
                if i == j { cosine > 0.553 } else { cosine < 0.42 },
                "{} and {}: {cosine}",
                students[i],
                students[j]
            );
        }
    }
}
