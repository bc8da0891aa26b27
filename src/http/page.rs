//! Lists in pages: `?page=1&per_page=50`, answered with the items and how many there are in all.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::db::page::{self, Listed};

const DEFAULT_PER_PAGE: u32 = 50;

/// Which part of a list.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// From 1.
    #[param(minimum = 1, maximum = 1000000, default = 1)]
    #[serde(default, deserialize_with = "from_1_to::<1000000, _>")]
    page: Option<u32>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    #[serde(default, deserialize_with = "from_1_to::<200, _>")]
    per_page: Option<u32>,
}

/// Part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// In all pages together.
    pub(crate) total: u64,
    #[schema(minimum = 1)]
    pub(crate) page: u32,
    #[schema(minimum = 1)]
    pub(crate) per_page: u32,
}

impl PageQuery {
    /// The rows to ask the database for.
    pub(crate) fn rows(self) -> page::Page {
        page::Page { limit: self.per_page(), offset: u64::from(self.page() - 1) * u64::from(self.per_page()) }
    }

    fn page(self) -> u32 {
        self.page.unwrap_or(1)
    }

    fn per_page(self) -> u32 {
        self.per_page.unwrap_or(DEFAULT_PER_PAGE)
    }

    /// The page that these rows are.
    pub(crate) fn of<R, T: From<R>>(self, listed: Listed<R>) -> Page<T> {
        let items = listed.rows.into_iter().map(T::from).collect();
        Page { items, total: listed.total, page: self.page(), per_page: self.per_page() }
    }
}

fn from_1_to<'de, const MAX: u32, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    match u32::deserialize(from)? {
        value if (1..=MAX).contains(&value) => Ok(Some(value)),
        value => Err(D::Error::custom(format!("{value} is not from 1 to {MAX}"))),
    }
}
