//! What `pack.toml` says: the licence, the files, how to run the nets and how to read their scores.
//!
//! Plain values. Reading and hashing files is the business of [`super::Pack`]; running nets that of `engine`.

use serde::Deserialize;
use sha2::{Digest, Sha256};

pub use super::detector::{DetectorSpec, MtcnnNms, MtcnnSpec, ScrfdSpec};

/// A model pack as its manifest describes it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Lower case letters, digits, `-` and `_`; also the folder name by convention.
    pub id: String,
    pub version: String,
    pub title: String,
    /// Why nobody has run this pack yet, in a sentence; absent for packs that were run and measured.
    pub untested: Option<String>,
    pub licence: Licence,
    /// Archives that files of the pack come in.
    #[serde(default)]
    pub archives: Vec<Archive>,
    pub files: Vec<PackFile>,
    pub detector: DetectorSpec,
    pub embedder: EmbedderSpec,
    pub scoring: Scoring,
}

/// Who may use the weights for what.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licence {
    pub text: String,
    pub commercial_use: bool,
    #[serde(default)]
    pub notes: String,
}

/// One file beside the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackFile {
    /// A plain file name, no folders.
    pub name: String,
    /// 64 hexadecimal digits, lower case, and the exact size. Both are absent where nobody knows them, such as for a
    /// conversion that comes out different on every machine: the file is then never fetched, only imported by a person,
    /// which writes them down.
    pub sha256: Option<String>,
    pub bytes: Option<u64>,
    /// Where it can be fetched from, when it is not shipped.
    pub source_url: Option<String>,
    /// The archive that holds it under this name, where that is how its publisher gives it away.
    pub archive: Option<String>,
}

/// A zip file that holds files of the pack.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// A plain file name, no folders.
    pub name: String,
    /// 64 hexadecimal digits, lower case.
    pub sha256: String,
    pub bytes: u64,
    pub source_url: String,
}

/// What a file must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint<'a> {
    pub sha256: &'a str,
    pub bytes: u64,
}

/// How a face becomes a vector.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbedderSpec {
    pub file: String,
    /// Width and height of the net's input in pixels.
    pub size_px: [u32; 2],
    pub layout: Layout,
    pub colour: Colour,
    /// Grey levels 0..255 go in as `(x - mean) / std`, one number for each plane in the order of `colour`.
    pub mean: [f32; 3],
    pub std: [f32; 3],
    /// Length of the embedding.
    pub dims: usize,
    pub alignment: Alignment,
    /// Whether embeddings are brought to unit length before they are compared.
    pub normalise: bool,
}

/// Order of the axes of the input tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    Nchw,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    Rgb,
    Bgr,
}

/// The template onto which the landmarks are brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Alignment {
    Arcface112,
}

/// The lines on the combined score (70/30, lower is nearer) and where they come from.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scoring {
    /// At or below: a match, when nothing else speaks against it.
    pub accept: f32,
    /// Above: a stranger. Between the two: a doubt.
    pub doubt: f32,
    /// Lead over the runner-up that a match needs.
    pub margin: f32,
    pub provenance: Provenance,
    pub llr: LogLikelihoodRatio,
}

/// What the lines were calibrated on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    pub data: String,
    /// People and portraits compared; said by calibrations of this program.
    pub people: Option<u64>,
    pub images: Option<u64>,
    pub impostor_comparisons: u64,
    pub genuine_comparisons: u64,
    /// Impostor comparisons at or below the accept line, and the different pairs of people among them: what the line rests on.
    pub impostors_at_accept: Option<u64>,
    pub people_pairs_at_accept: Option<u64>,
    /// ISO date of the calibration.
    pub date: String,
    pub rule: String,
    pub margin: String,
}

/// `ln p(combined | same person) / p(combined | others) = intercept - slope * combined`, in nats.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogLikelihoodRatio {
    pub slope: f32,
    pub intercept: f32,
    pub provenance: String,
}

impl Manifest {
    /// Reads and checks the text of a `pack.toml`.
    ///
    /// # Errors
    /// A sentence for the person who wrote the manifest: what is wrong and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let manifest: Self = toml::from_str(text).map_err(|e| e.to_string().trim_end().to_owned())?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The pack as results name it, for example `starter@0`.
    pub fn id_version(&self) -> String {
        format!("{}@{}", self.id, self.version)
    }

    /// SHA-256 of what the pack does to a picture, 64 hexadecimal digits: its files and how its nets are used. Another title,
    /// licence or line does not change it. A file without a hash counts by its name; such a pack cannot be opened.
    pub fn digest(&self) -> String {
        let mut text = format!("{:?}\n{:?}\n", self.detector, self.embedder);
        for file in &self.files {
            text += &format!("{} {}\n", file.name, file.sha256.as_deref().unwrap_or("unknown"));
        }
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn check(&self) -> Result<(), String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        require(!self.id.is_empty() && self.id.chars().all(plain), "id must be lower case letters, digits, - and _")?;
        require(!self.version.trim().is_empty(), "version is empty")?;
        for archive in &self.archives {
            check_file(&archive.name, Some((&archive.sha256, archive.bytes)), Some(&archive.source_url))?;
        }
        for file in &self.files {
            file.check(&self.archives)?;
        }
        self.detector.check()?;
        self.embedder.check()?;
        self.scoring.check()?;
        for name in self.detector.files().into_iter().chain([self.embedder.file.as_str()]) {
            let listed = self.files.iter().filter(|f| f.name == *name).count();
            require(listed == 1, &format!("{name} must be listed once under [[files]], found {listed} times"))?;
        }
        Ok(())
    }
}

impl PackFile {
    /// What the file must be; `None` when the manifest cannot say.
    pub fn fingerprint(&self) -> Option<Fingerprint<'_>> {
        self.sha256.as_deref().zip(self.bytes).map(|(sha256, bytes)| Fingerprint { sha256, bytes })
    }

    fn check(&self, archives: &[Archive]) -> Result<(), String> {
        let name = &self.name;
        let both = self.sha256.is_some() == self.bytes.is_some();
        require(both, &format!("{name} needs both sha256 and bytes, or neither where nobody knows them"))?;
        check_file(name, self.sha256.as_deref().zip(self.bytes), self.source_url.as_deref())?;
        let one_source = self.source_url.is_none() || self.archive.is_none();
        require(one_source, &format!("{name} comes from source_url or from an archive, not from both"))?;
        let known = self.archive.as_ref().is_none_or(|wanted| archives.iter().any(|a| a.name == *wanted));
        require(known, &format!("the archive of {name} must be listed under [[archives]]"))
    }
}

impl Archive {
    pub fn fingerprint(&self) -> Fingerprint<'_> {
        Fingerprint { sha256: &self.sha256, bytes: self.bytes }
    }
}

fn check_file(name: &str, fingerprint: Option<(&str, u64)>, source_url: Option<&str>) -> Result<(), String> {
    let plain = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', ':', '\0']);
    require(plain, &format!("file name {name:?} must be a plain name in the pack's own folder"))?;
    let hex = |sha256: &str| sha256.len() == 64 && sha256.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    let known = fingerprint.is_none_or(|(sha256, _)| hex(sha256));
    require(known, &format!("sha256 of {name} must be 64 hexadecimal digits in lower case"))?;
    let web = source_url.is_none_or(|url| url.starts_with("https://") || url.starts_with("http://"));
    require(web, &format!("source_url of {name} must begin with https:// or http://"))
}

impl EmbedderSpec {
    fn check(&self) -> Result<(), String> {
        let Alignment::Arcface112 = self.alignment;
        require(self.size_px == [112, 112], "arcface112 alignment needs size_px = [112, 112]")?;
        let scale = self.mean.iter().all(|v| v.is_finite()) && self.std.iter().all(|v| v.is_finite() && *v > 0.0);
        require(scale, "mean must be finite and std above zero")?;
        require(self.dims > 0, "dims must be above zero")
    }
}

/// No pack may name anybody before its lines were measured: an accept line below this is one that no face of another
/// picture reaches.
const UNREACHABLE_ACCEPT: f32 = 1.0;

impl Scoring {
    /// Whether the lines come from measurements. Without them every face is at most a doubt.
    pub fn is_calibrated(&self) -> bool {
        self.provenance.impostor_comparisons > 0 && self.provenance.genuine_comparisons > 0
    }

    fn check(&self) -> Result<(), String> {
        let named_on_evidence = self.is_calibrated() || self.accept <= UNREACHABLE_ACCEPT;
        require(
            named_on_evidence,
            "scoring.accept must be at most 1.0 until the lines are calibrated: nobody may be named",
        )?;
        let ordered = 0.0 < self.accept && self.accept <= self.doubt && self.doubt.is_finite();
        require(ordered, "scoring needs 0 < accept <= doubt")?;
        require(self.margin.is_finite() && self.margin >= 0.0, "scoring.margin must be zero or more")?;
        let falling = self.llr.slope > 0.0 && self.llr.slope.is_finite() && self.llr.intercept.is_finite();
        require(falling, "scoring.llr.slope must be above zero")
    }
}

pub(super) fn require(holds: bool, complaint: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(complaint.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STARTER: &str = include_str!("../../models/starter/pack.toml");

    fn changed(from: &str, to: &str) -> String {
        assert_eq!(STARTER.matches(from).count(), 1, "{from:?} must occur once");
        Manifest::parse(&STARTER.replacen(from, to, 1)).unwrap_err()
    }

    #[test]
    fn the_starter_manifest_says_what_its_papers_say() {
        let m = Manifest::parse(STARTER).unwrap();
        assert_eq!(m.id_version(), "starter@0");
        assert!(!m.licence.commercial_use);
        let DetectorSpec::Mtcnn(mtcnn) = &m.detector else { panic!("{:?}", m.detector) };
        assert_eq!((mtcnn.thresholds, mtcnn.pyramid_factor, mtcnn.min_face_px), ([0.6, 0.7, 0.92], 0.709, 20));
        assert_eq!((m.embedder.dims, m.embedder.normalise), (512, true));
        assert_eq!((m.scoring.accept, m.scoring.doubt, m.scoring.margin), (17.66, 20.54, 1.0));
        let at_accept = m.scoring.llr.intercept - m.scoring.llr.slope * m.scoring.accept;
        assert!((at_accept - 8.73).abs() < 1e-3, "{at_accept}");
    }

    #[test]
    fn the_lines_are_the_cosines_of_the_papers() {
        let m = Manifest::parse(STARTER).unwrap();
        for (line, cosine) in [(m.scoring.accept, 0.553), (m.scoring.doubt, 0.420)] {
            let distance = (512.0_f32 * 2.0 * (1.0 - cosine)).sqrt();
            let combined = 0.7 * distance + 0.3 * 20.0 * (1.0 - cosine);
            assert!((combined - line).abs() < 0.02, "{combined} against {line}");
        }
    }

    #[test]
    fn unknown_and_missing_fields_are_errors_that_name_them() {
        assert!(changed("id = \"starter\"", "id = \"starter\"\ncolour = 3").contains("colour"));
        assert!(changed("pyramid_factor", "pyramid_faktor").contains("pyramid_faktor"));
        assert!(changed("kind = \"mtcnn\"", "kind = \"psychic\"").contains("psychic"));
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        assert!(changed("accept = 17.66", "accept = 30.0").contains("accept"));
        assert!(changed("pnet = \"pnet.onnx\"", "pnet = \"qnet.onnx\"").contains("qnet.onnx"));
        assert!(changed("size_px = [112, 112]", "size_px = [160, 160]").contains("size_px"));
        assert!(changed("min_face_px = 20", "min_face_px = 5").contains("min_face_px"));
    }

    #[test]
    fn nobody_is_named_before_the_lines_are_measured() {
        let complaint = changed("impostor_comparisons = 943058", "impostor_comparisons = 0");
        assert!(complaint.contains("calibrated"), "{complaint}");
    }

    #[test]
    fn sources_are_web_addresses_or_archives_that_are_listed() {
        let with = |line: &str| changed("bytes = 60463", &format!("bytes = 60463\n{line}"));
        assert!(with("source_url = \"file:///etc/passwd\"").contains("https://"));
        assert!(with("archive = \"nets.zip\"").contains("[[archives]]"));
        assert!(changed("bytes = 60463\n", "").contains("both sha256 and bytes"));
    }

    #[test]
    fn a_file_name_cannot_leave_the_pack() {
        for name in ["../pnet.onnx", "/etc/passwd", "a/b.onnx", "..", "c:\\\\x.onnx", ""] {
            let complaint = changed("name = \"pnet.onnx\"", &format!("name = \"{name}\""));
            assert!(complaint.contains("plain name"), "{name}: {complaint}");
        }
    }
}
