//! Who says what a picture is to be called: the model, or somebody's decision.

use super::decisions::{Decision, Decisions};
use super::pages::{Page, Place};
use super::{Form, LONGEST, Role, Site, Told, svg};
use crate::cli::arguments::{Alt, Common};
use crate::cli::model;
use crate::cli::pictures::read_image;
use crate::cli::progress::Run;
use obscura::generate::GenerationSettings;
use obscura::image::RgbImage;
use obscura::tasks::Model;
use obscura::{Error, Result};
use pollster::block_on;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What becomes of a picture without text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// It gets this text; `is_ours` where a model wrote it.
    Text { text: String, is_ours: bool },
    /// It is marked as decoration.
    Decorative,
    /// It stays as it is, by a decision.
    Dismissed,
    /// Nobody knows yet.
    Open,
}

impl Choice {
    pub fn is_open(&self) -> bool {
        *self == Choice::Open
    }

    /// Whether something is put into the page. In Markdown a decoration is what has no text.
    pub fn is_written(&self, form: Form) -> bool {
        match self {
            Choice::Text { .. } => true,
            Choice::Decorative => matches!(form, Form::Html { .. }),
            Choice::Dismissed | Choice::Open => false,
        }
    }
}

/// The texts of a run.
pub struct Texts<'a> {
    /// The model's, by the pictures' files; or why a picture has none.
    written: BTreeMap<PathBuf, Told<String>>,
    decisions: Decisions,
    takes_links: bool,
    asker: Option<Asker<'a>>,
}

impl<'a> Texts<'a> {
    /// Reads decisions; the model is asked page by page, by [`Self::ask_about`].
    pub fn new(
        command: &'a Alt,
        common: &'a Common,
        site: &'a Site,
        pages: &[Page],
    ) -> Result<Self> {
        let decisions = match &command.decisions {
            Some(path) => Decisions::read(path)?,
            None => Decisions::default(),
        };
        let asker = command.asks_model().then(|| Asker {
            command,
            common,
            site,
            model: None,
            run: Run::over(undecided(pages, &decisions).collect::<BTreeSet<_>>().len()),
        });
        Ok(Self {
            written: BTreeMap::new(),
            decisions,
            takes_links: command.links,
            asker,
        })
    }

    /// Has the model look at the pictures of a page that nobody has decided on, if the command wants its texts. It
    /// looks once at a picture, on however many pages that is.
    pub fn ask_about(&mut self, page: &Page) -> Result<()> {
        let Some(asker) = &mut self.asker else {
            return Ok(());
        };
        for picture in undecided(std::slice::from_ref(page), &self.decisions) {
            if !self.written.contains_key(picture) {
                self.written.insert(picture.clone(), asker.ask(picture)?);
            }
        }
        Ok(())
    }

    /// Prints without tearing the bar.
    pub fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.asker {
            Some(asker) => asker.run.suspend(print),
            None => print(),
        }
    }

    /// What the model says a picture shows, or why it says nothing; None where it was not asked.
    pub fn suggestion(&self, place: &Place) -> Option<&Told<String>> {
        self.written.get(place.picture.as_ref().ok()?)
    }

    /// What becomes of a picture.
    pub fn choice(&self, place: &Place) -> Choice {
        match self.decisions.of(place) {
            Some(Decision::Apply(text)) => Choice::Text {
                text: text.clone(),
                is_ours: false,
            },
            Some(Decision::Decorative) => Choice::Decorative,
            Some(Decision::Dismiss) => Choice::Dismissed,
            None => self.of_model(place),
        }
    }

    fn of_model(&self, place: &Place) -> Choice {
        let says_enough = place.lacking.role == Role::Picture || self.takes_links;
        match self.suggestion(place) {
            Some(Ok(text)) if says_enough => Choice::Text {
                text: text.clone(),
                is_ours: true,
            },
            _ => Choice::Open,
        }
    }
}

/// The files of pictures that are left to the model.
fn undecided<'a>(pages: &'a [Page], decisions: &Decisions) -> impl Iterator<Item = &'a PathBuf> {
    let places = pages.iter().flat_map(|page| &page.lacking);
    let undecided = places.filter(|place| decisions.of(place).is_none());
    undecided.filter_map(|place| place.picture.as_ref().ok())
}

/// The model, which is loaded for the first picture.
struct Asker<'a> {
    command: &'a Alt,
    common: &'a Common,
    site: &'a Site,
    model: Option<Model>,
    run: Run,
}

impl Asker<'_> {
    /// What a picture shows, or why nobody can say.
    fn ask(&mut self, picture: &Path) -> Result<Told<String>> {
        let model = match &mut self.model {
            Some(model) => model,
            none => none.insert(model::load(&self.command.model, self.common)?),
        };
        let image = read(&self.site.root.join(picture), self.common);
        self.run.step();
        let image = match image? {
            Ok(image) => image,
            Err(problem) => return Ok(Err(problem)),
        };
        let options = model.generation(&GenerationSettings::default());
        let silent = async |_: &str, _| Ok(());
        let caption = block_on(model.caption(&image, &self.command.prompt, &options, silent))?;
        Ok(Ok(shorten(&caption.text)))
    }
}

impl Drop for Asker<'_> {
    fn drop(&mut self) {
        self.run.finish();
    }
}

/// A picture or a drawing, or why it cannot be looked at.
fn read(path: &Path, common: &Common) -> Result<Told<RgbImage>> {
    if svg::is_svg(path) {
        return Ok(svg::read(path));
    }
    match read_image(path, common) {
        Err(Error::BadImage(_)) => Ok(Err("it cannot be read as a picture".to_string())),
        image => image.map(Ok),
    }
}

/// A text in one line of at most [`LONGEST`] characters, cut between words.
pub fn shorten(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((end, _)) = text.char_indices().nth(LONGEST) else {
        return text;
    };
    let kept = match (text[end..].starts_with(' '), text[..end].rfind(' ')) {
        (false, Some(space)) => &text[..space],
        _ => &text[..end],
    };
    kept.trim_end_matches([' ', ',', ';', ':', '-']).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_words() {
        assert_eq!(shorten(" a  hut\nby the sea "), "a hut by the sea");
        let words = "word ".repeat(24); // 120 characters
        let fits = format!("{words}fives");
        assert_eq!(shorten(&fits), fits);
        assert_eq!(shorten(&format!("{fits} and more")), fits);
        assert_eq!(shorten(&format!("{words}sixsix")), words.trim_end());
        assert_eq!(shorten(&"é".repeat(200)), "é".repeat(LONGEST));
        let listed = format!("{}, and more of it", "x".repeat(LONGEST - 3));
        assert_eq!(shorten(&listed), "x".repeat(LONGEST - 3));
    }
}
