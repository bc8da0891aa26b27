//! A Postgres server of the tests' own: in a temporary folder, on a socket, never one that somebody else uses.
//!
//! Needs the server's programs (package `postgresql`). They refuse to run as root, so root hands over to the user
//! `postgres` that the package makes. A shell holds the other end of a pipe and stops the server when the test program has
//! ended, however it did.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    folder: String,
    /// Settings besides those that every such server has.
    options: &'static str,
    databases: AtomicU32,
    /// Closed when the test program ends, or before.
    _alive: ChildStdin,
}

impl Server {
    /// One for all tests of the program.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: LazyLock<Server> = LazyLock::new(Server::start);
        &SHARED
    }

    /// One for a test that stops it. Transactions outlive the server, as they do in a school.
    pub(crate) fn start() -> Self {
        Self::start_with("-c fsync=off")
    }

    /// One with settings of its own, as its command line takes them.
    pub(crate) fn start_with(options: &'static str) -> Self {
        let folder = tempfile::Builder::new().prefix("rollcall-postgres-").tempdir().unwrap().keep();
        // The server's user makes the data folder and the socket in it.
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
        let folder = folder.to_str().unwrap().to_owned();
        let data = format!("{folder}/data");
        run("initdb", &["-D", &data, "-U", "rollcall", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
        let _alive = stop_when_dropped(&folder);
        let server = Self { folder, options, databases: AtomicU32::new(0), _alive };
        server.control("start", &[]);
        server
    }

    /// Makes an empty database and returns its URL.
    pub(crate) fn new_database(&self) -> String {
        self.create_database("template1")
    }

    /// Makes a copy of a database that nobody is connected to, and returns its URL.
    pub(crate) fn copy_of(&self, url: &str) -> String {
        self.create_database(url.rsplit('/').next().unwrap())
    }

    /// Stops the server in the middle of whatever it does and starts it again.
    pub(crate) fn restart(&self) {
        self.control("restart", &["-m", "fast"]);
    }

    fn create_database(&self, template: &str) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut admin = PgConnection::establish(&self.url("postgres")).unwrap();
        admin.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}")).unwrap();
        self.url(&name)
    }

    fn control(&self, action: &str, arguments: &[&str]) {
        let Self { folder, options, .. } = self;
        let (data, log) = (format!("{folder}/data"), format!("{folder}/log"));
        let options = format!("-k {folder} -c listen_addresses='' -c max_connections=300 {options}");
        run("pg_ctl", &[&["-D", &data, "-w", "-l", &log, "-o", &options, action], arguments].concat());
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://rollcall@{}/{database}", self.folder.replace('/', "%2F"))
    }
}

/// The shell reads until the test program has gone; then it stops the server and removes the folder.
fn stop_when_dropped(folder: &str) -> ChildStdin {
    let mut stop = command(program("pg_ctl"));
    stop.args(["-D", &format!("{folder}/data"), "-m", "immediate", "stop"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "read _; \"$@\"; rm -rf \"$0\"", folder]).arg(stop.get_program()).args(stop.get_args());
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C in a terminal is for the tests; the shell has yet to clean up after them.
    std::os::unix::process::CommandExt::process_group(&mut shell, 0);
    shell.spawn().unwrap().stdin.unwrap()
}

fn run(name: &str, arguments: &[&str]) {
    let status = command(program(name)).args(arguments).stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{name} {arguments:?}: {status}");
}

fn program(name: &str) -> String {
    let folder = Command::new("pg_config").arg("--bindir").output().expect("pg_config comes with libpq-dev");
    let program = Path::new(String::from_utf8(folder.stdout).unwrap().trim()).join(name);
    assert!(program.exists(), "{} is missing: install the package `postgresql`", program.display());
    program.to_str().unwrap().to_owned()
}

fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let user = Command::new("id").arg("-u").output().expect("every unix has `id`");
    let mut command = if user.stdout == b"0\n" {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/");
    command
}
