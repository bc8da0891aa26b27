//! What requests for tools look like, for the document only: files of forms, and that a face is a picture or an embedding but
//! not both, which the types that read a request check by hand for the sake of clear messages.
#![expect(dead_code, reason = "only described")]

use utoipa::ToSchema;

use crate::http::pictures::InlinePicture;

/// A picture as a file.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PictureForm {
    #[schema(value_type = String, format = Binary)]
    image: (),
}

/// The names of the reference files are their ids.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CompareForm {
    #[schema(value_type = String, format = Binary)]
    probe: (),
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 100)]
    references: (),
}

/// Two files, in this order.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifyForm {
    #[schema(value_type = String, format = Binary)]
    first: (),
    #[schema(value_type = String, format = Binary)]
    second: (),
}

/// A face: a picture of one person, or an embedding by the same pack.
#[derive(ToSchema)]
#[serde(untagged)]
pub(super) enum Face {
    Picture(PictureOfFace),
    Vector(VectorOfFace),
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PictureOfFace {
    image: InlinePicture,
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VectorOfFace {
    embedding: Vec<f32>,
}

/// A face that a probe is compared with.
#[derive(ToSchema)]
#[serde(untagged)]
pub(super) enum Reference {
    Picture(PictureOfReference),
    Vector(VectorOfReference),
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PictureOfReference {
    /// Whose face it is, in the words of the caller; several references of one person have the same.
    #[schema(min_length = 1, max_length = 200)]
    id: String,
    /// A picture of one person.
    image: InlinePicture,
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VectorOfReference {
    /// Whose face it is, in the words of the caller; several references of one person have the same.
    #[schema(min_length = 1, max_length = 200)]
    id: String,
    embedding: Vec<f32>,
}
