//! A plot as inline SVG. Series differ in colour and in dashes, so that they survive colour blindness and a grey printer.

use std::fmt::Write as _;

use super::axis::{Axis, Scale};
use super::escape;

/// Curves or bars over two axes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plot {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
    /// Upright lines, such as the lines of a pack: place on the x axis, and what it is.
    pub lines: Vec<(f64, String)>,
}

/// What belongs together.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub name: String,
    pub mark: Mark,
    pub points: Vec<Point>,
}

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Line,
    /// A line with a dot on each point.
    Dots,
    /// A filled outline of bars, each from its point to the next: a histogram.
    Bars,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
    /// Ends of an interval of `y`.
    pub interval: Option<(f64, f64)>,
}

impl Point {
    pub const fn at(x: f64, y: f64) -> Self {
        Self { x, y, interval: None }
    }
}

/// Size of the drawing and of the rectangle in it that has the curves, units of the SVG.
const WIDTH: f64 = 700.0;
const HEIGHT: f64 = 338.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 54.0;
/// Width of a letter, about, and height of a line of the words at the marks.
const LETTER: f64 = 6.5;
const LINE: f64 = 13.0;
/// Height of a row of the legend.
const LEGEND_ROW: f64 = 17.0;

/// After M. Okabe and K. Ito, "Color Universal Design", 2008.
const COLOURS: [&str; 5] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56606a"];
const DASHES: [&str; 5] = ["none", "7 4", "2 3", "10 3 2 3", "4 2"];

/// In how many rows the words of marks stand so that neighbours do not run into each other: two at most.
fn rows_of(marks: &[(f64, String)], width: f64) -> usize {
    let half = |word: &str| word.chars().count() as f64 * LETTER / 2.0;
    let collide = |pair: &[(f64, String)]| (pair[1].0 - pair[0].0) * width < half(&pair[0].1) + half(&pair[1].1);
    if marks.windows(2).any(collide) { 2 } else { 1 }
}

impl Plot {
    /// The drawing, an `svg` element.
    pub fn svg(&self) -> String {
        let legend_rows = legend_places(&self.series).last().map_or(0, |(_, row)| *row);
        let top = TOP + legend_rows as f64 * LEGEND_ROW;
        let mut svg = Drawing { plot: self, top, text: String::new() };
        let title = escape(&self.title);
        svg.add(format_args!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\n"));
        svg.add(format_args!("<text x=\"{LEFT}\" y=\"16\" font-weight=\"600\">{title}</text>\n"));
        svg.axes();
        self.series.iter().enumerate().for_each(|(i, series)| svg.series(i, series));
        svg.upright_lines();
        svg.legend();
        svg.text + "</svg>\n"
    }
}

struct Drawing<'a> {
    plot: &'a Plot,
    /// Of the rectangle that has the curves: below the legend.
    top: f64,
    text: String,
}

impl Drawing<'_> {
    fn add(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.text.write_fmt(text);
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + self.plot.x.place(value) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.plot.y.place(value) * (HEIGHT - self.top - BOTTOM)
    }

    fn axes(&mut self) {
        let (right, bottom, top) = (WIDTH - RIGHT, HEIGHT - BOTTOM, self.top);
        for (place, word) in self.plot.y.marks() {
            let (y, word) = (bottom - place * (bottom - top), escape(&word));
            self.add(format_args!("<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#e1e5ea\"/>"));
            self.add(format_args!(
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{word}</text>\n",
                LEFT - 7.0,
                y + 4.0
            ));
        }
        let marks = self.plot.x.marks();
        let rows = rows_of(&marks, right - LEFT);
        for (i, (place, word)) in marks.into_iter().enumerate() {
            let (x, word) = (LEFT + place * (right - LEFT), escape(&word));
            if !matches!(self.plot.x.scale, Scale::Steps(_)) {
                self.add(format_args!("<path d=\"M{x:.1} {top}V{bottom}\" stroke=\"#e1e5ea\"/>"));
            }
            self.add(format_args!(
                "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{word}</text>\n",
                bottom + 16.0 + (i % rows) as f64 * LINE
            ));
        }
        self.add(format_args!("<path d=\"M{LEFT} {top}V{bottom}H{right}\" stroke=\"#4a525b\" fill=\"none\"/>\n"));
        let (x_label, y_label) = (escape(&self.plot.x.label), escape(&self.plot.y.label));
        let middle = (LEFT + right) / 2.0;
        self.add(format_args!("<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{x_label}</text>\n", HEIGHT - 8.0));
        let turned = (top + bottom) / 2.0;
        self.add(format_args!(
            "<text x=\"14\" y=\"{turned}\" text-anchor=\"middle\" transform=\"rotate(-90 14 {turned})\">{y_label}</text>\n"
        ));
    }

    fn series(&mut self, index: usize, series: &Series) {
        let (colour, dash) = look(index);
        let stroke = format!("stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dash}\"");
        match series.mark {
            Mark::Bars => {
                let outline = self.bars(&series.points);
                self.add(format_args!("<path d=\"{outline}\" {stroke} fill=\"{colour}\" fill-opacity=\"0.18\"/>\n"));
            }
            Mark::Line | Mark::Dots => {
                let curve = self.curve(&series.points);
                self.add(format_args!("<path d=\"{curve}\" {stroke} fill=\"none\"/>\n"));
            }
        }
        for point in &series.points {
            let (x, y) = (self.x(point.x), self.y(point.y));
            if let Some((low, high)) = point.interval {
                let (low, high) = (self.y(low), self.y(high));
                self.add(format_args!(
                    "<path d=\"M{x:.1} {low:.1}V{high:.1}M{:.1} {low:.1}h6M{:.1} {high:.1}h6\" stroke=\"{colour}\"/>",
                    x - 3.0,
                    x - 3.0
                ));
            }
            if series.mark == Mark::Dots {
                self.add(format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.2\" fill=\"{colour}\"/>\n"));
            }
        }
    }

    fn curve(&self, points: &[Point]) -> String {
        let place = |(i, p): (usize, &Point)| {
            format!("{}{:.1} {:.1}", if i == 0 { "M" } else { "L" }, self.x(p.x), self.y(p.y))
        };
        points.iter().enumerate().map(place).collect()
    }

    fn bars(&self, points: &[Point]) -> String {
        let floor = self.y(self.plot.y.from);
        let mut path = String::new();
        let Some(first) = points.first() else { return path };
        let _ = write!(path, "M{:.1} {floor:.1}", self.x(first.x));
        for (i, point) in points.iter().enumerate() {
            let end = points.get(i + 1).map_or(self.plot.x.to, |next| next.x);
            let _ = write!(path, "V{:.1}H{:.1}", self.y(point.y), self.x(end));
        }
        let _ = write!(path, "V{floor:.1}Z");
        path
    }

    fn upright_lines(&mut self) {
        let (top, bottom) = (self.top, HEIGHT - BOTTOM);
        for (value, word) in &self.plot.lines {
            let (x, word) = (self.x(*value), escape(word));
            self.add(format_args!("<path d=\"M{x:.1} {top}V{bottom}\" stroke=\"#1b1f24\" stroke-dasharray=\"3 3\"/>"));
            let at = top + 12.0;
            self.add(format_args!("<text x=\"{:.1}\" y=\"{at}\">{word}</text>\n", x + 4.0));
        }
    }

    fn legend(&mut self) {
        for (i, (series, (x, row))) in self.plot.series.iter().zip(legend_places(&self.plot.series)).enumerate() {
            let ((colour, dash), y) = (look(i), 31.0 + row as f64 * LEGEND_ROW);
            self.add(format_args!(
                "<path d=\"M{x:.0} {y:.0}h24\" stroke=\"{colour}\" stroke-width=\"3\" stroke-dasharray=\"{dash}\"/>"
            ));
            let name = escape(&series.name);
            self.add(format_args!("<text x=\"{:.0}\" y=\"{:.0}\">{name}</text>\n", x + 30.0, y + 4.0));
        }
    }
}

/// Colour and dashes of a series; those after the fifth have the same colours with other dashes.
fn look(index: usize) -> (&'static str, &'static str) {
    (COLOURS[index % COLOURS.len()], DASHES[(index + index / COLOURS.len()) % DASHES.len()])
}

/// Left end and row of each name of the legend.
fn legend_places(series: &[Series]) -> Vec<(f64, usize)> {
    let (mut x, mut row) = (LEFT, 0);
    let place = |series: &Series| {
        let width = 30.0 + LETTER * series.name.chars().count() as f64;
        if x > LEFT && x + width > WIDTH {
            (x, row) = (LEFT, row + 1);
        }
        let place = (x, row);
        x += width + 22.0;
        place
    };
    series.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_stand_in_rows() {
        let named = |name: &str| Series { name: name.into(), mark: Mark::Dots, points: Vec::new() };
        let places = legend_places(&vec![named("fit=640,min-face=12"); 8]);
        assert_eq!(places.iter().map(|(_, row)| *row).collect::<Vec<_>>(), [0, 0, 0, 1, 1, 1, 2, 2]);
        assert!(places.iter().all(|(x, _)| *x < WIDTH - 100.0), "{places:?}");
        let looks: std::collections::BTreeSet<_> = (0..8).map(look).collect();
        assert_eq!(looks.len(), 8, "no two look alike");
        let marks = |names: &[&str]| Axis::steps(names.iter().map(|n| (*n).to_owned()).collect()).marks();
        assert_eq!(rows_of(&marks(&["16 px", "20 px"]), 600.0), 1);
        assert_eq!(rows_of(&marks(&["shrink=0.333,jpeg=40"; 6]), 600.0), 2);
    }

    fn plot(mark: Mark, points: Vec<Point>) -> Plot {
        Plot {
            x: Axis::linear(0.0, 10.0),
            y: Axis::linear(0.0, 1.0),
            series: vec![Series { name: "one".into(), mark, points }],
            ..Plot::default()
        }
    }

    #[test]
    fn points_lie_where_the_axes_say() {
        let svg = plot(Mark::Line, vec![Point::at(0.0, 0.0), Point::at(10.0, 1.0)]).svg();
        // From the lower left to the upper right corner of the rectangle.
        assert!(svg.contains("d=\"M64.0 284.0L684.0 44.0\""), "{svg}");
    }

    #[test]
    fn bars_reach_from_their_point_to_the_next_and_stand_on_the_floor() {
        let svg = plot(Mark::Bars, vec![Point::at(0.0, 0.5), Point::at(5.0, 1.0)]).svg();
        assert!(svg.contains("d=\"M64.0 284.0V164.0H374.0V44.0H684.0V284.0Z\""), "{svg}");
    }

    #[test]
    fn an_interval_is_a_line_between_its_ends() {
        let point = Point { interval: Some((0.25, 0.75)), ..Point::at(5.0, 0.5) };
        let svg = plot(Mark::Dots, vec![point]).svg();
        assert!(svg.contains("M374.0 224.0V104.0") && svg.contains("<circle cx=\"374.0\" cy=\"164.0\""), "{svg}");
    }

    #[test]
    fn a_series_without_points_draws_nothing() {
        let svg = plot(Mark::Bars, Vec::new()).svg();
        assert!(svg.contains("d=\"\"") && !svg.contains("NaN"), "{svg}");
    }
}
