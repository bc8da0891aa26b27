//! Passwords at the command line: typed twice without showing, or from standard input. Never an argument, which other users of
//! the machine can read.

use std::io::{BufRead, BufReader, Read};

use clap::Args;
use console::Term;

use crate::app::auth::Password;
use crate::app::error::{Code, Error};

/// More than any password has.
const LONGEST_LINE_BYTES: u64 = 4096;

#[derive(Debug, Args)]
pub(in crate::cli) struct PasswordArgs {
    /// Read the password from the first line of standard input instead of asking for it
    #[arg(long)]
    password_stdin: bool,
}

impl PasswordArgs {
    /// The password of `name`, as somebody gives it now.
    ///
    /// # Errors
    /// `INVALID_REQUEST` without a terminal, or when the two that were typed differ; `FILE_ERROR` when nothing can be read.
    pub(super) fn read(&self, name: &str) -> Result<Password, Error> {
        if self.password_stdin {
            return first_line(std::io::stdin().lock()).map(Password::from);
        }
        let terminal = Term::stderr();
        if !terminal.is_term() {
            let what = "there is no terminal to ask for the password; give it with --password-stdin";
            return Err(Error::new(Code::InvalidRequest, what));
        }
        let ask = |prompt: &str| {
            terminal.write_str(prompt).and_then(|()| terminal.read_secure_line()).map_err(|e| unreadable(&e))
        };
        let typed = ask(&format!("password of {name}: "))?;
        if typed != ask("the same again: ")? {
            return Err(Error::new(Code::InvalidRequest, "the two passwords differ; nothing was changed"));
        }
        Ok(Password::from(typed))
    }
}

fn first_line(input: impl Read) -> Result<String, Error> {
    let mut line = String::new();
    BufReader::new(input.take(LONGEST_LINE_BYTES)).read_line(&mut line).map_err(|e| unreadable(&e))?;
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(line)
}

fn unreadable(error: &std::io::Error) -> Error {
    Error::new(Code::FileError, format!("the password could not be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::first_line;

    #[test]
    fn the_first_line_counts_with_its_blanks_and_without_its_end() {
        assert_eq!(first_line(&b" two words \r\nsecond line\n"[..]).unwrap(), " two words ");
        assert_eq!(first_line(&b"no end"[..]).unwrap(), "no end");
        assert_eq!(first_line(&b""[..]).unwrap(), "");
        assert_eq!(first_line(&b"\xff\xfe\n"[..]).unwrap_err().code, crate::app::error::Code::FileError);
    }
}
