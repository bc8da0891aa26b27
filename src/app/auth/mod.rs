//! STUB
use crate::app::School;
use crate::app::error::Error;
use crate::domain::access::{Actor, Caller};
#[derive(Debug, Clone)]
pub struct Keys;
#[derive(Debug, Clone)]
pub enum Credential {
    ApiToken(String),
    AccessToken(String),
}
impl Credential {
    pub fn bearer(t: String) -> Self {
        Self::AccessToken(t)
    }
}
impl Keys {
    pub fn of(_c: &crate::config::Config) -> Result<Self, Error> {
        Ok(Self)
    }
}
pub async fn authenticate(_s: &School, _k: &Keys, _c: &Credential) -> Result<Caller, Error> {
    unreachable!()
}
pub fn check_link(_k: &Keys, _p: &str, _q: &str) -> Result<Actor, Error> {
    unreachable!()
}
