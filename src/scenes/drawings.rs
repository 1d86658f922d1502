//! Reads the icon packages: one JSON file a style, which holds the body of every SVG by name, and
//! renders single drawings of it, cut to what is visible.
//!
//! The format: <https://iconify.design/docs/types/iconify-json.html>.

use std::collections::HashMap;
use std::path::Path;

use image::RgbaImage;
use resvg::{tiny_skia, usvg};
use serde::Deserialize;

use crate::{Error, Result};

/// Pixels fainter than this belong to a drawing's edge or glow, not to its extent.
const VISIBLE: u8 = 24;
/// The first rendering only measures.
const MEASURED_SIDE: u32 = 128;
const LONGEST_ALIAS_CHAIN: usize = 5;

/// The drawings of one artist.
#[derive(Debug, Deserialize)]
pub struct Package {
    icons: HashMap<String, Icon>,
    #[serde(default)]
    aliases: HashMap<String, Alias>,
    width: Option<f32>,
    height: Option<f32>,
}

#[derive(Debug, Deserialize)]
struct Icon {
    body: String,
    left: Option<f32>,
    top: Option<f32>,
    width: Option<f32>,
    height: Option<f32>,
}

#[derive(Debug, Deserialize)]
struct Alias {
    parent: String,
}

impl Package {
    /// The package in a folder, as unpacked from npm.
    pub fn open(folder: &Path) -> Result<Package> {
        let file = folder.join("icons.json");
        let bytes = std::fs::read(&file).map_err(|error| {
            Error::BadInput(format!(
                "cannot read {}: {error}. scripts/pictograms/fetch downloads the packages.",
                file.display()
            ))
        })?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Error::BadInput(format!(
                "{} is not a package of icons: {error}",
                file.display()
            ))
        })
    }

    /// The drawing called `name`, scaled so that its longer side is `side` pixels, with straight alpha.
    /// `None` if the package has none of that name.
    pub fn render(&self, name: &str, side: u32) -> Result<Option<RgbaImage>> {
        let Some(svg) = self.svg(name) else {
            return Ok(None);
        };
        let options = usvg::Options::default();
        let tree = usvg::Tree::from_str(&svg, &options).map_err(|error| {
            Error::BadImage(format!("the drawing '{name}' is not an SVG: {error}"))
        })?;
        let size = tree.size();
        let scale = MEASURED_SIDE as f32 / size.width().max(size.height());
        let whole = paint(&tree, scale, (0.0, 0.0), MEASURED_SIDE, MEASURED_SIDE);
        let Some((left, top, width, height)) = whole.as_ref().and_then(visible_part) else {
            return Err(Error::BadImage(format!(
                "the drawing '{name}' shows nothing"
            )));
        };
        let grown = side as f32 / width.max(height) as f32;
        let offset = (-(left as f32) * grown, -(top as f32) * grown);
        let (width, height) = (scaled(width, grown), scaled(height, grown));
        let drawing = paint(&tree, scale * grown, offset, width, height)
            .and_then(|pixels| RgbaImage::from_raw(width, height, straight_alpha(&pixels)));
        drawing.map(Some).ok_or_else(|| {
            Error::BadImage(format!(
                "the drawing '{name}' cannot be rendered at {side} pixels"
            ))
        })
    }

    fn svg(&self, name: &str) -> Option<String> {
        let mut name = name;
        for _ in 0..LONGEST_ALIAS_CHAIN {
            let Some(alias) = self.aliases.get(name) else {
                break;
            };
            name = &alias.parent;
        }
        let icon = self.icons.get(name)?;
        let width = icon.width.or(self.width).unwrap_or(16.0);
        let height = icon.height.or(self.height).unwrap_or(16.0);
        let (left, top) = (icon.left.unwrap_or(0.0), icon.top.unwrap_or(0.0));
        Some(format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{width}" height="{height}" viewBox="{left} {top} {width} {height}">{}</svg>"#,
            icon.body
        ))
    }
}

fn scaled(length: u32, factor: f32) -> u32 {
    ((length as f32 * factor).round() as u32).max(1)
}

fn paint(
    tree: &usvg::Tree,
    scale: f32,
    offset: (f32, f32),
    width: u32,
    height: u32,
) -> Option<tiny_skia::Pixmap> {
    let mut pixels = tiny_skia::Pixmap::new(width, height)?;
    let transform =
        tiny_skia::Transform::from_scale(scale, scale).post_translate(offset.0, offset.1);
    resvg::render(tree, transform, &mut pixels.as_mut());
    Some(pixels)
}

/// Left, top, width and height of what can be seen.
fn visible_part(pixels: &tiny_skia::Pixmap) -> Option<(u32, u32, u32, u32)> {
    let seen = pixels
        .pixels()
        .iter()
        .enumerate()
        .filter(|(_, pixel)| pixel.alpha() >= VISIBLE);
    let (mut left, mut top, mut right, mut bottom) = (u32::MAX, u32::MAX, 0, 0);
    for (position, _) in seen {
        let (x, y) = (
            position as u32 % pixels.width(),
            position as u32 / pixels.width(),
        );
        (left, top) = (left.min(x), top.min(y));
        (right, bottom) = (right.max(x), bottom.max(y));
    }
    (left <= right).then(|| (left, top, right - left + 1, bottom - top + 1))
}

fn straight_alpha(pixels: &tiny_skia::Pixmap) -> Vec<u8> {
    pixels
        .pixels()
        .iter()
        .flat_map(|pixel| {
            let colour = pixel.demultiply();
            [colour.red(), colour.green(), colour.blue(), colour.alpha()]
        })
        .collect()
}
