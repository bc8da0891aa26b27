//! A Postgres server of the tests' own: in a temporary folder, on a socket, never one that somebody else uses.
//!
//! Needs the server's programs (package `postgresql`). They refuse to run as root, so root hands over to the user
//! `postgres` that the package makes.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use tempfile::TempDir;

/// Stopped and removed with the last test that uses it.
pub(in crate::db) struct Server {
    folder: TempDir,
    databases: AtomicU32,
}

impl Server {
    /// The running server, or a new one.
    pub(in crate::db) fn shared() -> Arc<Self> {
        static RUNNING: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let mut running = RUNNING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        running.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::start());
            *running = Arc::downgrade(&server);
            server
        })
    }

    /// Makes an empty database and returns its URL.
    pub(in crate::db) fn new_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut admin = PgConnection::establish(&self.url("postgres")).unwrap();
        admin.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        self.url(&name)
    }

    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        // The server's user makes the data folder and the socket in it.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let server = Self { folder, databases: AtomicU32::new(0) };
        let data = server.data();
        run("initdb", &["-D", &data, "-U", "rollcall", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
        let socket = server.folder.path().display();
        let options = format!("-k {socket} -c listen_addresses='' -c fsync=off");
        run("pg_ctl", &["-D", &data, "-w", "-l", &format!("{socket}/log"), "-o", &options, "start"]);
        server
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    fn url(&self, database: &str) -> String {
        let socket = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://rollcall@{socket}/{database}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        run("pg_ctl", &["-D", &self.data(), "-m", "immediate", "stop"]);
        // Files of another user in a folder that everybody may write to: only their owner can remove them.
        command("rm").args(["-rf", &self.data()]).status().unwrap();
    }
}

fn run(program: &str, arguments: &[&str]) {
    let folder = Command::new("pg_config").arg("--bindir").output().expect("pg_config comes with libpq-dev");
    let program = Path::new(String::from_utf8(folder.stdout).unwrap().trim()).join(program);
    assert!(program.exists(), "{} is missing: install the package `postgresql`", program.display());
    let status = command(&program).args(arguments).stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{} {arguments:?}: {status}", program.display());
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
