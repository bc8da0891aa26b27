//! The paths that a Rust source file mentions, read well enough for the layer rule without a full parser.
//!
//! Nested `use a::{b, c::d}` trees are followed to their leaves, `self::` and `super::` to the crate's root. Comments,
//! literals and items under `#[cfg(test)]` are left out. What a macro expands to is not seen.

/// A path as written, with `self` and `super` resolved: `crate::db::Db` -> `["crate", "db", "Db"]`.
#[derive(Debug, PartialEq)]
pub(crate) struct Reference {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
}

/// All paths of at least two segments, and bare names that are imported (`use ort;`).
pub(crate) fn paths_of(file: &str, text: &str) -> Vec<Reference> {
    let mut reader = PathReader { tokens: &tokens_of(text), at: 0, modules: modules_of(file), found: Vec::new() };
    reader.block();
    reader.found
}

/// `engine/mtcnn.rs` -> `["engine", "mtcnn"]`; `mod.rs`, `lib.rs` and `main.rs` add nothing of their own.
fn modules_of(file: &str) -> Vec<String> {
    let parts = file.trim_end_matches(".rs").split('/');
    parts.filter(|part| !matches!(*part, "mod" | "lib" | "main")).map(str::to_owned).collect()
}

struct PathReader<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    /// The module that is being read, from the crate's root down.
    modules: Vec<String>,
    found: Vec<Reference>,
}

impl<'a> PathReader<'a> {
    /// Reads up to the `}` that closes the block it stands in, or to the end.
    fn block(&mut self) {
        const TEST_ONLY: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
        while let Some(text) = self.peek(0) {
            if TEST_ONLY.iter().enumerate().all(|(ahead, token)| self.peek(ahead) == Some(token)) {
                self.at += TEST_ONLY.len();
                self.skip_item();
            } else if text == "}" {
                return;
            } else if text == "{" {
                self.at += 1;
                self.block();
                self.at += 1;
            } else if text == "mod" && self.peek(2) == Some("{") {
                self.modules.extend(self.peek(1).map(str::to_owned));
                self.at += 3;
                self.block();
                self.at += 1;
                self.modules.pop();
            } else if is_name(text) {
                let imported = self.at > 0 && self.tokens[self.at - 1].text == "use";
                self.tree(&[], imported);
            } else {
                // Behind `>::` or `)::` nothing starts a path.
                self.at += if text == "::" && self.at > 0 && matches!(self.tokens[self.at - 1].text, ">" | ")") {
                    2
                } else {
                    1
                };
            }
        }
    }

    /// Reads `a::b` or `a::{b, c::d}` behind `prefix`; leaves the reader behind it.
    fn tree(&mut self, prefix: &[String], imported: bool) {
        let line = self.tokens[self.at].line;
        let mut segments = prefix.to_vec();
        while let Some(name) = self.peek(0).filter(|text| is_name(text)) {
            segments.push(name.to_owned());
            self.at += 1;
            if self.peek(0) != Some("::") {
                break;
            }
            if self.peek(1) == Some("{") {
                self.at += 2;
                self.group(&segments);
                return;
            }
            if self.peek(1).is_some_and(is_name) {
                self.at += 1;
            } else {
                // `a::*` or `a::<T>`: the rest does not matter here.
                self.at += 2;
                break;
            }
        }
        if segments.last().is_some_and(|last| last == "self") {
            segments.pop();
        }
        if segments.len() > 1 || (imported && segments.len() == 1) {
            let segments = self.resolved(segments);
            self.found.push(Reference { segments, line });
        }
    }

    /// Reads the branches of `{b, c::d}`; leaves the reader behind the closing brace.
    fn group(&mut self, prefix: &[String]) {
        while let Some(text) = self.peek(0) {
            if is_name(text) && text != "as" {
                self.tree(prefix, true);
            } else if text == "as" {
                self.at += 2;
            } else {
                self.at += 1;
                if text == "}" {
                    return;
                }
            }
        }
    }

    /// Steps over one item: up to its `;`, or over its braces.
    fn skip_item(&mut self) {
        let mut depth = 0;
        while let Some(text) = self.peek(0) {
            self.at += 1;
            match text {
                "{" | "(" | "[" => depth += 1,
                ")" | "]" | "}" if depth == 0 => {
                    // The end of what the item stands in, a struct for example.
                    self.at -= 1;
                    return;
                }
                ")" | "]" => depth -= 1,
                "}" => {
                    depth -= 1;
                    if depth == 0 {
                        return;
                    }
                }
                ";" if depth == 0 => return,
                _ => {}
            }
        }
    }

    /// Makes `self::` and `super::` start at the crate's root; other paths stay as they are.
    fn resolved(&self, segments: Vec<String>) -> Vec<String> {
        let climbs = segments.iter().skip_while(|s| *s == "self").take_while(|s| *s == "super").count();
        let relative = usize::from(segments[0] == "self") + climbs;
        if relative == 0 {
            return segments;
        }
        let kept = self.modules.len().saturating_sub(climbs);
        let root = std::iter::once("crate".to_owned());
        root.chain(self.modules[..kept].iter().cloned()).chain(segments.into_iter().skip(relative)).collect()
    }

    fn peek(&self, ahead: usize) -> Option<&'a str> {
        self.tokens.get(self.at + ahead).map(|token| token.text)
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

#[derive(Clone, Copy)]
struct Token<'a> {
    text: &'a str,
    line: usize,
}

/// Names, `::` and single signs, with their lines; comments, literals and lifetimes are left out.
fn tokens_of(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, kept) = match skipped(rest) {
            Some(length) => (length, false),
            None if first.is_whitespace() => (first.len_utf8(), false),
            None if is_name(rest) => (name_length(rest), true),
            None if rest.starts_with("::") => (2, true),
            None => (first.len_utf8(), true),
        };
        let (token, after) = rest.split_at(length);
        if kept {
            tokens.push(Token { text: token, line });
        }
        line += token.matches('\n').count();
        rest = after;
    }
    tokens
}

fn name_length(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())
}

/// Bytes of the comment, literal or lifetime that `text` starts with.
fn skipped(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(block_comment_length(text));
    }
    let prefix = ["br", "cr", "r", "b", "c", ""].into_iter().find(|prefix| {
        let opened = text.strip_prefix(prefix).map(|rest| rest.trim_start_matches('#'));
        let hashes_fit = prefix.ends_with('r') || text[prefix.len().min(text.len())..].starts_with('"');
        opened.is_some_and(|rest| rest.starts_with('"')) && hashes_fit
    });
    if let Some(prefix) = prefix {
        let literal = &text[prefix.len()..];
        let hashes = literal.find('"')?;
        let body = &literal[hashes + 1..];
        let body_length = if prefix.ends_with('r') {
            let end = format!("\"{}", "#".repeat(hashes));
            body.find(&end).map_or(body.len(), |at| at + end.len())
        } else {
            escaped_length(body, '"')
        };
        return Some(prefix.len() + hashes + 1 + body_length);
    }
    if let Some(quoted) = text.strip_prefix('\'') {
        let mut chars = quoted.chars();
        let is_char = match (chars.next(), chars.next()) {
            (Some('\\'), _) => true,
            (_, second) => second == Some('\''),
        };
        return Some(1 + if is_char { escaped_length(quoted, '\'') } else { name_length(quoted) });
    }
    None
}

/// Bytes up to and with the first `end` that no backslash stands before.
fn escaped_length(text: &str, end: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if c == end && !escaped {
            return at + c.len_utf8();
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

fn block_comment_length(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}
