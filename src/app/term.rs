//! From a class as people name it (name, section, perhaps a term) and a day to the one class that is meant.
//!
//! The rule is `domain::term`'s; here are the classes and terms it looks at. Every command finds its classes through this.

use chrono::NaiveDate;

use super::error::{Code, Error};
use crate::config::Config;
use crate::db::classes::ClassRow;
use crate::db::{AnyConnection, DbError, classes, terms};
use crate::domain::class_label::{ClassLabels, ClassRef};
use crate::domain::ids::ClassId;
use crate::domain::spelling::fold;
use crate::domain::term::{TermDays, TermError, TermWish, days_of, term_on};

/// A class as a command names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassWish {
    pub name: String,
    pub section: String,
    /// The only term that counts; otherwise the day decides.
    pub term: Option<String>,
}

/// The school's classes of all terms, and the terms' days.
#[derive(Debug, Clone)]
pub(crate) struct Calendar {
    classes: Vec<ClassRow>,
    terms: Vec<TermDays>,
    wish: TermWish,
}

impl Calendar {
    /// `asked` is the term that was named for this command.
    pub(crate) fn read(conn: &mut AnyConnection, config: &Config, asked: Option<&str>) -> Result<Self, DbError> {
        let wish = match asked {
            Some(term) => TermWish::Named(term.to_owned()),
            None => TermWish::Usual(config.term.clone()),
        };
        Ok(Self { classes: classes::list(conn, asked)?, terms: known_terms(conn)?, wish })
    }

    /// The class of this name and section on a day.
    ///
    /// # Errors
    /// `CLASS_NOT_FOUND`; `AMBIGUOUS_NAME` when it exists in several terms and the day does not tell which.
    pub(crate) fn class(&self, wish: &ClassWish, day: NaiveDate) -> Result<&ClassRow, Error> {
        self.named((&wish.name, &wish.section), day)
    }

    fn named(&self, (name, section): (&str, &str), day: NaiveDate) -> Result<&ClassRow, Error> {
        let same = self.same_label(name, section);
        if same.is_empty() {
            let of_term = match &self.wish {
                TermWish::Named(term) => format!(" in term {term:?}"),
                TermWish::Usual(_) => String::new(),
            };
            let what = format!("there is no class {name}-{section}{of_term}; import its roster first");
            return Err(Error::new(Code::ClassNotFound, what));
        }
        self.of_terms(&same, day).map_err(|e| Error::from(e).of(format_args!("class {name}-{section}")))
    }

    /// Every name and section once, whatever terms it exists in: what the names of photos are read against. The id is
    /// that of any of them; [`Calendar::on_day`] leads to the one that is meant.
    pub(crate) fn labels(&self) -> ClassLabels {
        let mut labels: Vec<&ClassRow> = Vec::new();
        for class in &self.classes {
            if labels.iter().all(|known| !is_same_label(known, &class.name, &class.section)) {
                labels.push(class);
            }
        }
        let of = |c: &ClassRow| ClassRef { id: c.id, name: c.name.clone(), section: c.section.clone() };
        ClassLabels::new(labels.into_iter().map(of).collect())
    }

    /// The class that has the label of the class `id` on a day.
    ///
    /// # Errors
    /// `AMBIGUOUS_NAME` when the day does not tell the term.
    pub(crate) fn on_day(&self, id: ClassId, day: NaiveDate) -> Result<&ClassRow, Error> {
        let label = self.classes.iter().find(|c| c.id == id).expect("labels are those of classes that were read");
        self.named((&label.name, &label.section), day)
    }

    /// The classes that portraits may be enrolled for on a day: of every label the one of that day, or where the day
    /// does not tell, all whose term is not over.
    pub(crate) fn current(&self, day: NaiveDate) -> Vec<&ClassRow> {
        let is_over = |class: &ClassRow| days_of(&self.terms, &class.term).is_some_and(|t| t.last_day < day);
        let of_day = |label: &ClassRef| {
            let same = self.same_label(&label.name, &label.section);
            match self.of_terms(&same, day) {
                Ok(class) => vec![class],
                Err(_) => same.into_iter().filter(|class| !is_over(class)).collect(),
            }
        };
        self.labels().classes().iter().flat_map(of_day).collect()
    }

    fn same_label(&self, name: &str, section: &str) -> Vec<&ClassRow> {
        self.classes.iter().filter(|class| is_same_label(class, name, section)).collect()
    }

    fn of_terms<'c>(&self, same: &[&'c ClassRow], day: NaiveDate) -> Result<&'c ClassRow, TermError> {
        let exists_in: Vec<&str> = same.iter().map(|class| class.term.as_str()).collect();
        term_on(&exists_in, &self.terms, &self.wish, day).map(|place| same[place])
    }
}

/// The terms whose days are set.
pub(crate) fn known_terms(conn: &mut AnyConnection) -> Result<Vec<TermDays>, DbError> {
    let days = |row: terms::TermRow| TermDays { name: row.name, first_day: row.first_day, last_day: row.last_day };
    Ok(terms::list(conn)?.into_iter().map(days).collect())
}

fn is_same_label(class: &ClassRow, name: &str, section: &str) -> bool {
    fold(&class.name) == fold(name) && fold(&class.section) == fold(section)
}
