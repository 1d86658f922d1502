//! Pixels: everything lies where the facts say.

use super::*;

#[test]
fn things_lie_where_the_facts_say_and_hide_nothing() {
    let (_folder, scenes) = scenes("pixels");
    for split in [Split::Compositions, Split::Style] {
        for scene in sampled(&scenes, split, 300) {
            let things = &scene.facts.things;
            for (place, thing) in things.iter().enumerate() {
                let bounds = &thing.bounds;
                assert!(
                    bounds.left >= 0.0
                        && bounds.top >= 0.0
                        && bounds.right() <= 1.0001
                        && bounds.bottom() <= 1.0001
                );
                assert!(bounds.extent() * 96.0 >= 20.0, "{thing:?}");
                for (dx, dy) in [(0.2, 0.2), (0.8, 0.2), (0.5, 0.5), (0.2, 0.8), (0.8, 0.8)] {
                    let x = ((bounds.left + bounds.width * dx) * 96.0) as u32;
                    let y = ((bounds.top + bounds.height * dy) * 96.0) as u32;
                    assert_eq!(
                        scene.image.get_pixel(x, y).0,
                        colour(&thing.object),
                        "{:?}",
                        scene.facts
                    );
                }
                for other in &things[..place] {
                    let apart = [
                        Relation::LeftOf,
                        Relation::RightOf,
                        Relation::Above,
                        Relation::Below,
                    ];
                    assert!(
                        apart
                            .iter()
                            .any(|relation| bounds.is(*relation, &other.bounds)),
                        "{:?}",
                        scene.facts
                    );
                }
            }
        }
    }
}

#[test]
fn half_transparent_drawings_blend_in_once() {
    let mut drawing = image::RgbaImage::from_pixel(40, 40, image::Rgba([200, 100, 0, 128]));
    let sprite = Sprite::new(&drawing);
    for side in [7, 20, 33, 40] {
        let level = sprite.at(side, side);
        assert_eq!((level.width, level.height), (side, side));
        for pixel in level.pixels.chunks_exact(4) {
            assert!(
                pixel
                    .iter()
                    .zip([100, 50, 0, 128])
                    .all(|(a, b)| a.abs_diff(b) <= 1),
                "{side}: {pixel:?}"
            );
        }
    }
    // What is transparent has no colour to bleed into its neighbours.
    for (x, _, pixel) in drawing.enumerate_pixels_mut() {
        *pixel = if x < 20 {
            image::Rgba([255, 255, 255, 0])
        } else {
            image::Rgba([10, 20, 30, 255])
        };
    }
    let level = Sprite::new(&drawing).at(9, 9);
    assert!(
        level.pixels.chunks_exact(4).all(|pixel| pixel[0] <= 11),
        "{:?}",
        level.pixels
    );
}
