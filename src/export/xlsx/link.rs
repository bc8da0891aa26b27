//! How the register of a class workbook follows the pages of its sessions.

use std::collections::HashMap;

use rust_xlsxwriter::Url;

use crate::domain::ids::SessionId;
use crate::domain::sheet::{RegisterCell, RegisterRow, StatusLabels};
use crate::domain::status::AttendanceStatus;
use crate::export::xlsx::session::{PRN, STATUS, SessionPage};
use crate::export::xlsx::text;

/// Longest text that Excel's lookups accept (255), less some air.
const MAX_LOOKUP_CHARS: usize = 200;

/// The pages that hold sessions' own marks; empty in a workbook of the register alone.
#[derive(Debug, Default)]
pub(super) struct SessionLinks<'a> {
    pages: HashMap<SessionId, LinkedPage<'a>>,
}

#[derive(Debug)]
struct LinkedPage<'a> {
    page: &'a SessionPage<'a>,
    /// What a lookup there has behind the cell with the PRN.
    place: String,
    /// By PRN as a lookup sees it; `None` where several rows share one.
    marks: HashMap<String, Option<AttendanceStatus>>,
}

impl<'a> SessionLinks<'a> {
    /// To the `pages` that write statuses as the register does.
    pub(super) fn to(pages: &'a [SessionPage<'a>], labels: &StatusLabels) -> Self {
        let linked = |page: &'a SessionPage<'a>| {
            let mut marks = HashMap::new();
            for row in &page.sheet().rows {
                marks.entry(lookup_key(&row.prn)).and_modify(|mark| *mark = None).or_insert(Some(row.status));
            }
            let ((first, last), name) = (page.rows(), text::page_reference(page.page_name()));
            let range = format!("{}:{}", text::absolute(first, PRN), text::absolute(last, STATUS));
            let place = format!("{name}!{range},{},FALSE", STATUS - PRN + 1);
            (page.sheet().id, LinkedPage { page, place, marks })
        };
        let alike = pages.iter().filter(|page| page.sheet().rules.marks() == labels);
        Self { pages: alike.map(linked).collect() }
    }

    pub(super) fn any(&self) -> bool {
        !self.pages.is_empty()
    }

    /// Leads to the session's page.
    pub(super) fn page_link(&self, session: SessionId) -> Option<Url> {
        let linked = self.pages.get(&session)?;
        Some(Url::new(format!("internal:{}!A1", text::page_reference(linked.page.page_name()))))
    }

    /// The formula that fetches a member's mark from the session's page, if it would give `mark` now.
    pub(super) fn mark_formula(&self, session: SessionId, who: &LookedUp, mark: RegisterCell) -> Option<String> {
        let linked = self.pages.get(&session)?;
        let found = *linked.marks.get(who.key.as_ref()?)?;
        (found == mark).then(|| format!("IFERROR(VLOOKUP({},{})&\"\",\"\")", who.cell, linked.place))
    }
}

/// A member as lookups see them.
#[derive(Debug)]
pub(super) struct LookedUp {
    /// Nothing where they cannot be looked up.
    key: Option<String>,
    /// Holds the PRN.
    cell: String,
}

impl LookedUp {
    pub(super) fn new(member: &RegisterRow, prn_cell: String) -> Self {
        let key = can_be_looked_up(&member.prn).then(|| lookup_key(&member.prn));
        Self { key, cell: prn_cell }
    }
}

/// Lookups do not see case.
fn lookup_key(prn: &str) -> String {
    text::cleaned(prn).to_lowercase()
}

/// Lookups take `? * ~` for wildcards and give up on long texts.
fn can_be_looked_up(prn: &str) -> bool {
    !prn.is_empty() && !prn.contains(['?', '*', '~']) && prn.chars().count() <= MAX_LOOKUP_CHARS
}
