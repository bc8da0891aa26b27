//! `rollcall admin user`: who may sign in.

use chrono::Utc;
use clap::{Args, Subcommand, ValueEnum};

use super::password::PasswordArgs;
use crate::app::School;
use crate::app::audit::By;
use crate::app::auth::users::{self, Newcomer, User, UserChange, UserFilter};
use crate::app::error::{Code, Error};
use crate::app::term::ClassWish;
use crate::cli::output::{Output, table};
use crate::config::Config;
use crate::db::Page;
use crate::domain::access::Role;
use crate::domain::ids::ClassId;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum UserCommand {
    /// Add a user; asks for a password of at least 10 characters
    Add(AddArgs),
    /// List the users
    List(ListArgs),
    /// Give somebody a new password, which signs them out everywhere
    Password(PasswordOfArgs),
    /// Let somebody sign in again
    Activate { name: String },
    /// Let somebody sign in no more, and sign them out everywhere
    Deactivate { name: String },
    /// Change what somebody may do; who is no teacher any more has no classes of their own
    Role {
        name: String,
        #[arg(value_enum)]
        role: RoleArg,
    },
    /// Give a teacher these classes, in place of those there are
    Classes(ClassesOfArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AddArgs {
    /// What is typed to sign in, such as ann.example
    name: String,
    /// admin: everything; teacher: own classes; viewer: sees everything, changes nothing
    #[arg(long, value_enum)]
    role: RoleArg,
    /// The person's name as others see it [default: NAME]
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    #[command(flatten)]
    classes: ClassesArgs,
    #[command(flatten)]
    password: PasswordArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// Only users with this role
    #[arg(long, value_enum)]
    role: Option<RoleArg>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct PasswordOfArgs {
    name: String,
    #[command(flatten)]
    password: PasswordArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ClassesOfArgs {
    name: String,
    #[command(flatten)]
    classes: ClassesArgs,
    /// Take all classes away
    #[arg(long, conflicts_with = "class", required_unless_present = "class")]
    none: bool,
}

/// Classes as flags name them, in pairs.
#[derive(Debug, Args)]
struct ClassesArgs {
    /// Class of a teacher, together with --section; may be given several times
    #[arg(long, value_name = "CLASS", requires = "section")]
    class: Vec<String>,
    /// Section, one for each --class
    #[arg(long, value_name = "SECTION", requires = "class")]
    section: Vec<String>,
    /// Term of the classes [default: that of today]
    #[arg(long, value_name = "TERM", requires = "class")]
    term: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(in crate::cli) enum RoleArg {
    Admin,
    Teacher,
    Viewer,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Admin => Self::Admin,
            RoleArg::Teacher => Self::Teacher,
            RoleArg::Viewer => Self::Viewer,
        }
    }
}

pub(super) async fn run(command: &UserCommand, config: &Config, output: &Output) -> Result<(), Error> {
    let school = School::open(config).await?;
    let user = match command {
        UserCommand::Add(args) => add(&school, args).await?,
        UserCommand::List(args) => return list(&school, args, output).await,
        UserCommand::Password(args) => set_password(&school, args).await?,
        UserCommand::Activate { name } => change(&school, name, active(true)).await?,
        UserCommand::Deactivate { name } => change(&school, name, active(false)).await?,
        UserCommand::Role { name, role } => {
            change(&school, name, UserChange { role: Some((*role).into()), ..UserChange::default() }).await?
        }
        UserCommand::Classes(args) => {
            let classes = args.classes.resolve(&school).await?;
            change(&school, &args.name, UserChange { classes: Some(classes), ..UserChange::default() }).await?
        }
    };
    output.result(&user, sentence(&user));
    Ok(())
}

async fn add(school: &School, args: &AddArgs) -> Result<User, Error> {
    let new = Newcomer {
        name: args.name.clone(),
        display_name: args.display_name.clone(),
        role: args.role.into(),
        classes: args.classes.resolve(school).await?,
        password: args.password.read(&args.name)?,
    };
    users::create(school, By::command(), new, Utc::now()).await
}

async fn set_password(school: &School, args: &PasswordOfArgs) -> Result<User, Error> {
    let user = users::find(school, args.name.clone()).await?;
    let password = args.password.read(&user.name)?;
    users::set_password(school, By::command(), user.id, password, Utc::now()).await?;
    users::get(school, user.id).await
}

async fn change(school: &School, name: &str, change: UserChange) -> Result<User, Error> {
    let user = users::find(school, name.to_owned()).await?;
    users::change(school, By::command(), user.id, change, Utc::now()).await
}

fn active(active: bool) -> UserChange {
    UserChange { active: Some(active), ..UserChange::default() }
}

async fn list(school: &School, args: &ListArgs, output: &Output) -> Result<(), Error> {
    let filter = UserFilter { role: args.role.map(Role::from), ..UserFilter::default() };
    let users = users::list(school, filter, Page::first(Page::MAX)).await?;
    let text = match users.total {
        0 => "no users; `rollcall admin user add NAME --role admin` makes the first".to_owned(),
        _ => table(&["user", "name", "role", "classes", "state"], &[], users.rows.iter().map(row)).to_string(),
    };
    output.result(&users, text);
    if users.total > users.rows.len() as u64 {
        output.note(format_args!("these are the first {} of {}", users.rows.len(), users.total));
    }
    Ok(())
}

fn row(user: &User) -> Vec<String> {
    vec![user.name.clone(), user.display_name.clone(), user.role.to_string(), classes(user), state(user)]
}

fn state(user: &User) -> String {
    match user.locked_until {
        _ if !user.active => "deactivated".into(),
        Some(until) if until > Utc::now() => format!("waits until {} UTC", until.format("%H:%M:%S")),
        _ => "active".into(),
    }
}

fn classes(user: &User) -> String {
    let label = |class: &users::UserClass| match class.section.as_str() {
        "" => class.class.clone(),
        section => format!("{}-{section}", class.class),
    };
    user.classes.iter().map(label).collect::<Vec<_>>().join(", ")
}

fn sentence(user: &User) -> String {
    let own = match (user.role, user.classes.len()) {
        (Role::Teacher, 0) => ", without classes".into(),
        (Role::Teacher, _) => format!(" of {}", classes(user)),
        _ => String::new(),
    };
    let state = if user.active { "" } else { "; deactivated" };
    format!("{} ({}): {}{own}{state}", user.name, user.display_name, user.role)
}

impl ClassesArgs {
    async fn resolve(&self, school: &School) -> Result<Vec<ClassId>, Error> {
        if self.class.len() != self.section.len() {
            return Err(Error::new(Code::InvalidRequest, "give one --section for each --class"));
        }
        let pairs = self.class.iter().zip(&self.section);
        let wish = |(name, section): (&String, &String)| ClassWish {
            name: name.clone(),
            section: section.clone(),
            term: self.term.clone(),
        };
        users::classes_named(school, pairs.map(wish).collect()).await
    }
}
