//! Files in and out: packages, sheets, the table of objects, exports, easy-VQA.

use super::*;

#[test]
fn malformed_packages_are_errors() {
    let folder = Folder::with_packages("malformed");
    let out = folder.0.join("built");
    let icons = folder.0.join(STYLES[0].0).join("icons.json");
    let fails = |what: &str| {
        let error = build_from(&folder.0, &out, &objects())
            .unwrap_err()
            .to_string();
        assert!(error.contains(what), "{error}");
    };
    std::fs::write(&icons, "[1, 2").unwrap();
    fails("icons.json");
    std::fs::write(&icons, r#"{"icons": {"dog": {"body": "<rect"}}}"#).unwrap();
    fails("'dog'");
    std::fs::write(&icons, r#"{"icons": {"dog": {"body": ""}}}"#).unwrap();
    fails("'dog'");
    std::fs::write(&icons, r#"{"icons": {"dog": {"body": "", "width": -5}}}"#).unwrap();
    fails("'dog'");
    std::fs::write(
        &icons,
        r#"{"icons": {}, "aliases": {"dog": {"parent": "dog"}}}"#,
    )
    .unwrap();
    build_from(&folder.0, &out, &objects()).unwrap();
    std::fs::remove_file(&icons).unwrap();
    fails("pictograms/fetch");
}

#[test]
fn damaged_sheets_are_errors() {
    let (folder, _) = scenes("damaged");
    let out = folder.0.join("built");
    let open = || {
        Scenes::of(objects(), &out, options())
            .unwrap_err()
            .to_string()
    };
    let index = std::fs::read_to_string(out.join("sprites.json")).unwrap();
    std::fs::write(
        out.join("sprites.json"),
        index.replace("\"width\":128", "\"width\":4000"),
    )
    .unwrap();
    assert!(open().contains("does not fit"));
    std::fs::write(
        out.join("sprites.json"),
        index.replace("\"dog\"", "\"dodo\""),
    )
    .unwrap();
    assert!(open().contains("'dog'"));
    std::fs::write(out.join("sprites.json"), "{}").unwrap();
    assert!(open().contains("sprites.json"));
    std::fs::write(out.join("sprites.json"), &index).unwrap();
    std::fs::write(out.join("noto.png"), "no picture").unwrap();
    assert!(open().contains("noto.png"));
}

#[test]
fn unusable_options_are_errors() {
    let (folder, mut scenes) = scenes("options");
    let out = folder.0.join("built");
    for (objects_wanted, image_size) in
        [(0, 96), (KNOWN + 1, 96), (2, 96), (KNOWN, 0), (KNOWN, 4000)]
    {
        let options = Options {
            objects: objects_wanted,
            image_size,
            ..Options::default()
        };
        assert!(
            Scenes::of(objects(), &out, options).is_err(),
            "{objects_wanted} {image_size}"
        );
    }
    for share in [f32::NAN, -1.0, 0.0] {
        let mix = Mix {
            single: share,
            group: 0.0,
            pair: 0.0,
            groups: 0.0,
            several: 0.0,
        };
        assert!(scenes.set_mix(mix).is_err(), "{share}");
    }
    assert!(
        "training"
            .parse::<Split>()
            .unwrap_err()
            .to_string()
            .contains("compositions")
    );
    assert_eq!("style".parse::<Split>(), Ok(Split::Style));
}

#[test]
fn the_table_of_objects_is_sound() {
    let objects = Objects::built_in().unwrap();
    assert!(objects.known().len() >= 200 && objects.unseen().len() >= 20);
    for object in objects.all() {
        assert!(
            object.name.split(' ').count() <= 2 && !object.icon.is_empty(),
            "{object:?}"
        );
        assert_eq!(
            object.article == "an",
            "aeiou".contains(&object.name[..1]) && object.name != "unicorn"
                || object.name == "hourglass"
        );
        // The name of a background would be read as one.
        assert!(
            compose::colours().all(|colour| colour != object.name),
            "{object:?}"
        );
    }
    let heading = "set\tname\tplural\tarticle\ticon\n";
    for row in [
        "known\tdog\tdogs\ta",
        "other\tdog\tdogs\ta\tdog",
        "known\tdog\tdogs\ta\tdog\nknown\tdog\tdogs\ta\tdog",
    ] {
        assert!(Objects::parse(&format!("{heading}{row}")).is_err(), "{row}");
    }
}

#[test]
fn exported_scenes_can_be_read_back() {
    let (folder, scenes) = scenes("export");
    let out = folder.0.join("export");
    write_scenes(&scenes, Split::Compositions, 4, 9, &out).unwrap();
    let captions = std::fs::read_to_string(out.join("captions.jsonl")).unwrap();
    let lines: Vec<export::CaptionLine> = captions
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 4);
    for line in &lines {
        assert_eq!(line.captions.len(), 5);
        assert_eq!(image::open(out.join(&line.image)).unwrap().width(), 96);
        assert!(line.captions.iter().all(|caption| objects_exact(
            caption,
            &line.facts,
            scenes.objects()
        )));
    }
    let questions = std::fs::read_to_string(out.join("questions.jsonl")).unwrap();
    let questions: Vec<export::QuestionLine> = questions
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(questions.len() > 8 && questions.iter().all(|line| line.image.ends_with(".png")));
}

#[test]
fn shapes_are_read_with_what_their_questions_tell() {
    let folder = Folder::new("shapes");
    let data = folder.0.join("easy-vqa/easy_vqa/data/test");
    std::fs::create_dir_all(data.join("images")).unwrap();
    let mut picture = image::RgbImage::from_pixel(64, 64, image::Rgb([250, 250, 250]));
    for (x, y) in (16..32).flat_map(|x| (8..24).map(move |y| (x, y))) {
        picture.put_pixel(x, y, image::Rgb([200, 0, 0]));
    }
    for id in 0..2 {
        picture.save(data.join(format!("images/{id}.png"))).unwrap();
    }
    let rows = r#"[["is there not a red shape?", "no", 0], ["what shape is present?", "rectangle", 0],
        ["is there a blue shape?", "no", 0], ["is there a triangle?", "no", 1]]"#;
    std::fs::write(data.join("questions.json"), rows).unwrap();
    let shapes = shapes::Shapes::open(&folder.0, shapes::Part::Test).unwrap();
    assert_eq!(shapes.len(), 2);
    // Such scenes have questions only, and their folder says so.
    let out = folder.0.join("shapes");
    let scenes = (0..2).map(|place| Ok((shapes.scene(place, &mut generator(1))?, Vec::new())));
    export::write(scenes, &out).unwrap();
    assert!(out.join("questions.jsonl").exists() && !out.join("captions.jsonl").exists());

    let scene = shapes.scene(0, &mut generator(1)).unwrap();
    assert_eq!(scene.facts.things[0].object, "red rectangle");
    assert_eq!(
        scene.facts.things[0].bounds,
        facts::Bounds {
            left: 0.25,
            top: 0.125,
            width: 0.25,
            height: 0.25
        }
    );
    assert!(
        objects_exact(&scene.caption, &scene.facts, shapes.objects()),
        "{}",
        scene.caption
    );
    assert_eq!(scene.questions.len(), 3);
    assert_eq!(shapes.scene(1, &mut generator(1)).unwrap().caption, "");
    assert!(shapes.scene(2, &mut generator(1)).is_err());
    std::fs::write(
        data.join("questions.json"),
        r#"[["is there a triangle?", "no", 5000000]]"#,
    )
    .unwrap();
    assert!(shapes::Shapes::open(&folder.0, shapes::Part::Test).is_err());
    assert!(shapes::Shapes::open(&folder.0, shapes::Part::Train).is_err());
}
