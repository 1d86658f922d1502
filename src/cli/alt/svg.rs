//! Drawings in SVG as pictures for the model. What resvg does not draw, as it is built here, would be missing in what the
//! model says: a drawing with words or photographs in it is left to people.

use super::Told;
use obscura::image::RgbImage;
use resvg::usvg::roxmltree::{Document, ParsingOptions};
use resvg::{tiny_skia, usvg};
use std::path::Path;

/// The longer side in pixels, some more than models look at.
const SIDE: f32 = 512.0;

pub fn is_svg(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default();
    ending.eq_ignore_ascii_case("svg")
}

/// A drawing on white, or on black if it cannot be seen on white.
pub fn read(path: &Path) -> Told<RgbImage> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("it cannot be read: {error}"))?;
    let tree = parse(&text)?;
    let grounds = [tiny_skia::Color::WHITE, tiny_skia::Color::BLACK];
    let drawn = grounds.into_iter().filter_map(|ground| draw(&tree, ground));
    let mut seen = drawn.filter(|picture| picture.pixels().any(|pixel| pixel != &picture[(0, 0)]));
    seen.next()
        .ok_or_else(|| "it is an SVG that shows nothing".to_string())
}

fn parse(text: &str) -> Told<usvg::Tree> {
    let unreadable =
        |error: &dyn std::fmt::Display| format!("it cannot be read as an SVG: {error}");
    let options = ParsingOptions {
        allow_dtd: true, // older drawing programs write one
        ..ParsingOptions::default()
    };
    let document =
        Document::parse_with_options(text, options).map_err(|error| unreadable(&error))?;
    let mut names = document.descendants().map(|node| node.tag_name().name());
    let missing = names.find_map(|name| match name {
        "text" | "foreignObject" => Some("words"),
        "image" | "feImage" => Some("pictures"),
        _ => None,
    });
    if let Some(what) = missing {
        return Err(format!(
            "it is an SVG with {what} in it, which the model would not see: write a text by hand"
        ));
    }
    usvg::Tree::from_xmltree(&document, &usvg::Options::default())
        .map_err(|error| unreadable(&error))
}

fn draw(tree: &usvg::Tree, ground: tiny_skia::Color) -> Option<RgbImage> {
    let size = tree.size();
    let scale = SIDE / size.width().max(size.height());
    let side = |length: f32| ((length * scale).round() as u32).max(1);
    let mut pixels = tiny_skia::Pixmap::new(side(size.width()), side(size.height()))?;
    pixels.fill(ground);
    let transform = tiny_skia::Transform::from_scale(scale, scale);
    resvg::render(tree, transform, &mut pixels.as_mut());
    let colours = pixels.pixels().iter();
    let colours = colours.flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]); // nothing shines through
    RgbImage::from_raw(pixels.width(), pixels.height(), colours.collect())
}
