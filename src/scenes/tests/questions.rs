//! Questions: true answers, and none that the question gives away.

use super::*;

#[test]
fn yes_and_no_are_equally_likely_whatever_is_asked() {
    let (_folder, scenes) = scenes("balance");
    let mut answers: HashMap<&str, (f64, f64)> = HashMap::new();
    let marks = [
        "is there",
        "are there any",
        "does the picture",
        "are there two",
        "are there three",
        "are there four",
        "left of",
        "right of",
        "above",
        "below",
        " on the",
        "background",
        "small",
        "large",
        "",
    ];
    for scene in sampled(&scenes, Split::Train, 12000) {
        for question in scene
            .questions
            .iter()
            .filter(|question| question.kind == Kind::YesNo)
        {
            for mark in marks
                .iter()
                .filter(|mark| question.question.contains(**mark))
            {
                let (yes, all) = answers.entry(mark).or_default();
                *yes += f64::from(question.answer == "yes");
                *all += 1.0;
            }
        }
    }
    for mark in marks {
        let (yes, all) = answers[mark];
        let share = yes / all;
        assert!(
            all > 50.0 && (share - 0.5).abs() < 2.0 / all.sqrt() + 0.01,
            "'{mark}': {share} of {all}"
        );
    }
}

#[test]
fn answers_are_true() {
    let (_folder, scenes) = scenes("answers");
    for scene in sampled(&scenes, Split::Train, 1500) {
        let groups = scene.facts.groups();
        for asked in &scene.questions {
            let said = mentioned(&asked.question, scenes.objects());
            let name = said.objects.first().map(|(name, _)| name.as_str());
            let count = groups
                .iter()
                .find(|group| Some(group.object) == name)
                .map_or(0, |group| group.count);
            match (asked.kind, said.relations.first()) {
                (Kind::YesNo, Some((a, relation, b))) => {
                    assert_eq!(
                        scene.facts.holds(a, *relation, b),
                        asked.answer == "yes",
                        "{asked:?} {:?}",
                        scene.facts
                    );
                }
                (Kind::YesNo, None) if asked.question.contains("there a") => {
                    assert_eq!(
                        count > 0,
                        asked.answer == "yes",
                        "{asked:?} {:?}",
                        scene.facts
                    );
                }
                (Kind::HowMany, _) if name.is_some() => {
                    assert_eq!(words::number(count), asked.answer, "{asked:?}")
                }
                (Kind::HowMany, _) => {
                    assert_eq!(words::number(scene.facts.things.len()), asked.answer)
                }
                (Kind::Colour, _) => {
                    assert_eq!(Some(&asked.answer), scene.facts.background.as_ref())
                }
                (Kind::What, _) => {
                    let answer = mentioned(&asked.answer, scenes.objects()).objects[0]
                        .0
                        .clone();
                    match said.objects.is_empty() {
                        true => assert_eq!(names(&scene), [answer], "{asked:?}"),
                        false => assert!(what_is_there(&asked.question, &answer, &scene, &scenes)),
                    }
                }
                _ => {}
            }
        }
    }
}

/// "what is above the dog?"
fn what_is_there(question: &str, answer: &str, scene: &Scene, scenes: &Scenes) -> bool {
    let said = mentioned(&question.replacen("what", answer, 1), scenes.objects());
    let [(a, relation, b)] = &said.relations[..] else {
        return false;
    };
    scene.facts.holds(a, *relation, b)
}
