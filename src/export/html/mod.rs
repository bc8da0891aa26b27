//! A report as one HTML file that needs nothing else: style, plots and pictures are in it, there are no scripts. It can be
//! read on any screen, printed, and sent by mail.
//!
//! Blocks are plain values; what they say is the caller's business. Called by `evaluate --html`. Pure.

mod axis;
mod plot;

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use axis::{Axis, Scale, Unit};
pub use plot::{Mark, Plot, Point, Series};

/// A report.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub title: String,
    /// What it is about, in a sentence or two.
    pub lead: String,
    /// What was measured with: name and value.
    pub facts: Vec<(String, String)>,
    pub sections: Vec<Section>,
}

#[derive(Debug, Clone, Default)]
pub struct Section {
    pub title: String,
    pub blocks: Vec<Block>,
}

#[derive(Debug, Clone)]
pub enum Block {
    Text(String),
    Table(Table),
    Plot(Plot),
    Gallery(Vec<Card>),
}

/// Rows under a header. The first column is text, the others are numbers.
#[derive(Debug, Clone, Default)]
pub struct Table {
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// Pictures that belong together, with a few words.
#[derive(Debug, Clone, Default)]
pub struct Card {
    pub tone: Tone,
    pub pictures: Vec<Picture>,
    pub lines: Vec<String>,
}

/// How bad a card is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    Wrong,
    Question,
    #[default]
    Plain,
}

#[derive(Debug, Clone, Default)]
pub struct Picture {
    /// JPEG bytes.
    pub jpeg: Vec<u8>,
    pub caption: String,
}

const STYLE: &str = include_str!("style.css");

impl Page {
    /// The whole file.
    pub fn html(&self) -> String {
        let mut html = String::new();
        let title = escape(&self.title);
        html += "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
        html += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
        // Whatever a name or a list says, nothing in this file is run or fetched.
        html += "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
                 img-src data:\">\n";
        push(&mut html, format_args!("<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"));
        push(&mut html, format_args!("<h1>{title}</h1>\n<p class=\"lead\">{}</p>\n", escape(&self.lead)));
        html += "<dl>\n";
        for (name, value) in &self.facts {
            push(&mut html, format_args!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value)));
        }
        html += "</dl>\n";
        for section in &self.sections {
            push(&mut html, format_args!("<section>\n<h2>{}</h2>\n", escape(&section.title)));
            section.blocks.iter().for_each(|block| block.write(&mut html));
            html += "</section>\n";
        }
        html += "</body>\n</html>\n";
        html
    }
}

impl Block {
    fn write(&self, html: &mut String) {
        match self {
            Self::Text(text) => push(html, format_args!("<p>{}</p>\n", escape(text))),
            Self::Table(table) => table.write(html),
            Self::Plot(plot) => push(html, format_args!("<figure>\n{}</figure>\n", plot.svg())),
            Self::Gallery(cards) => {
                html.push_str("<div class=\"gallery\">\n");
                cards.iter().for_each(|card| card.write(html));
                html.push_str("</div>\n");
            }
        }
    }
}

impl Table {
    fn write(&self, html: &mut String) {
        let cells = |html: &mut String, tag: &str, cells: &[String]| {
            html.push_str("<tr>");
            cells.iter().for_each(|cell| push(html, format_args!("<{tag}>{}</{tag}>", escape(cell))));
            html.push_str("</tr>\n");
        };
        html.push_str("<div class=\"wide\"><table>\n<thead>");
        cells(html, "th", &self.header);
        html.push_str("</thead>\n<tbody>\n");
        self.rows.iter().for_each(|row| cells(html, "td", row));
        html.push_str("</tbody>\n</table></div>\n");
    }
}

impl Card {
    fn write(&self, html: &mut String) {
        let tone = match self.tone {
            Tone::Wrong => " wrong",
            Tone::Question => " question",
            Tone::Plain => "",
        };
        push(html, format_args!("<div class=\"card{tone}\"><div class=\"pictures\">"));
        for Picture { jpeg, caption } in &self.pictures {
            let (data, caption) = (STANDARD.encode(jpeg), escape(caption));
            let image = format!("<img alt=\"{caption}\" src=\"data:image/jpeg;base64,{data}\">");
            push(html, format_args!("<figure>{image}<figcaption>{caption}</figcaption></figure>"));
        }
        html.push_str("</div>");
        self.lines.iter().for_each(|line| push(html, format_args!("<p>{}</p>", escape(line))));
        html.push_str("</div>\n");
    }
}

/// Writing to a string does not fail.
fn push(html: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = html.write_fmt(text);
}

/// Text for between tags and for attributes in double quotes.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_lists_are_text_and_never_markup() {
        let evil = "<script>alert(\"1\")</script> & co".to_owned();
        let card = Card {
            pictures: vec![Picture { jpeg: vec![1, 2, 3], caption: evil.clone() }],
            lines: vec![evil.clone()],
            ..Card::default()
        };
        let table = Table { header: vec![evil.clone()], rows: vec![vec![evil.clone()]] };
        let plot = Plot {
            title: evil.clone(),
            x: Axis { label: evil.clone(), ..Axis::linear(0.0, 1.0) },
            series: vec![Series { name: evil.clone(), mark: Mark::Line, points: vec![Point::at(0.5, 0.5)] }],
            lines: vec![(0.5, evil.clone())],
            ..Plot::default()
        };
        let blocks =
            vec![Block::Text(evil.clone()), Block::Table(table), Block::Plot(plot), Block::Gallery(vec![card])];
        let page = Page {
            title: evil.clone(),
            lead: evil.clone(),
            facts: vec![(evil.clone(), evil.clone())],
            sections: vec![Section { title: evil, blocks }],
        };
        let html = page.html();
        assert!(!html.contains("<script") && !html.contains("\"1\""), "{html}");
        assert_eq!(html.matches("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; co").count(), 17);
    }

    #[test]
    fn a_page_holds_everything_it_shows() {
        let card = Card { pictures: vec![Picture { jpeg: b"jpeg".to_vec(), caption: "x".into() }], ..Card::default() };
        let page = Page {
            sections: vec![Section { title: "t".into(), blocks: vec![Block::Gallery(vec![card])] }],
            ..Page::default()
        };
        let html = page.html();
        assert!(html.contains("src=\"data:image/jpeg;base64,anBlZw==\""), "{html}");
        assert!(!html.contains("http://") && !html.contains("https://") && !html.contains("<link"), "{html}");
    }
}
