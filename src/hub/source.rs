//! What a person may write where a model is wanted.

use super::Environment;
use super::address::{is_plain_name, parts, same_origin, shown};
use crate::load::{self, layout::is_part};
use crate::{Error, Result};
use std::fmt;
use std::path::{Path, PathBuf};

/// Where a model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file or a folder on this machine.
    Local(PathBuf),
    /// A repository of the hub.
    Hub {
        /// `owner/name`.
        id: String,
        /// Where the URL of a page of the hub named one.
        revision: Option<String>,
        /// The folder of a part, such as `text_encoder_2/`.
        part: Option<String>,
    },
    /// The URL of a .gguf file.
    File(String),
    /// The URL of a folder in Hugging Face layout, without a slash at its end.
    Folder(String),
}

impl Source {
    /// The name of a repository of the hub.
    pub fn id(&self) -> Option<&str> {
        match self {
            Source::Hub { id, .. } => Some(id),
            _ => None,
        }
    }

    /// Understands a command line's MODEL. What exists here is meant before anything elsewhere.
    pub fn parse(model: &Path, environment: &Environment) -> Result<Self> {
        if model.exists() || load::embedded(model).is_some() {
            return Ok(Source::Local(model.to_path_buf()));
        }
        let text = model.to_str().unwrap_or_default();
        if text.contains("://") {
            return from_url(text, environment);
        }
        if let Some((id, part)) = id_and_part(text)
            && !id.ends_with(".gguf")
        {
            return Ok(Source::Hub {
                id,
                revision: None,
                part,
            });
        }
        Err(Error::BadInput(format!(
            "{}: no such file or folder. A model is a .gguf file, a folder in Hugging Face layout, \
             the http(s) URL of either, or a hub id such as openai/clip-vit-base-patch32",
            model.display()
        )))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Source::Local(path) => path.display().fmt(formatter),
            Source::Hub { id, .. } => formatter.write_str(id),
            Source::File(url) | Source::Folder(url) => formatter.write_str(shown(url)),
        }
    }
}

/// `owner/name`, and the folder of a part behind it: `owner/name/text_encoder_2`.
fn id_and_part(text: &str) -> Option<(String, Option<String>)> {
    let segments: Vec<&str> = text.trim_end_matches('/').split('/').collect();
    let (id, folders) = segments.split_at_checked(2)?;
    let is_plain = segments.iter().all(|segment| is_plain_name(segment));
    let part = match folders {
        [] => None,
        [.., last] if is_part(last) => Some(format!("{}/", folders.join("/"))),
        _ => return None,
    };
    is_plain.then(|| (id.join("/"), part))
}

fn from_url(url: &str, environment: &Environment) -> Result<Source> {
    let Some(parts) = parts(url) else {
        return Err(Error::BadInput(format!(
            "{url}: only http:// and https:// URLs can be fetched"
        )));
    };
    let path = parts.path.trim_end_matches('/');
    if same_origin(url, &environment.endpoint)
        && let Some(source) = page_of_the_hub(path)
    {
        return Ok(source);
    }
    let name = path
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    if name.ends_with(".gguf") {
        return Ok(Source::File(url.to_string()));
    }
    if [".safetensors", ".bin", ".json", ".pt", ".pth"]
        .iter()
        .any(|end| name.ends_with(end))
    {
        return Err(Error::BadInput(format!(
            "{url}: a model in Hugging Face layout is several files, give the URL of their folder"
        )));
    }
    Ok(Source::Folder(format!(
        "{}{path}{}",
        parts.origin, parts.query
    )))
}

/// `/owner/name` and `/owner/name/tree/REVISION`, as copied from a browser's address bar, there also
/// with the folder of a part behind it.
fn page_of_the_hub(path: &str) -> Option<Source> {
    let mut segments = path.strip_prefix('/')?.splitn(5, '/');
    let (owner, name) = (segments.next()?, segments.next()?);
    let revision = match (segments.next(), segments.next()) {
        (None, None) => None,
        (Some("tree"), Some(revision)) => Some(revision.replace("%2F", "/")),
        _ => return None,
    };
    let folders = segments.next().map(|folders| format!("/{folders}"));
    let (id, part) = id_and_part(&format!("{owner}/{name}{}", folders.unwrap_or_default()))?;
    Some(Source::Hub { id, revision, part })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(model: &str) -> Result<Source> {
        Source::parse(
            Path::new(model),
            &Environment::from_variables(|_| None).unwrap(),
        )
    }

    fn hub(id: &str, revision: Option<&str>) -> Result<Source> {
        Ok(Source::Hub {
            id: id.into(),
            revision: revision.map(str::to_string),
            part: None,
        })
    }

    #[test]
    fn the_parts_of_a_pipeline_have_names_of_their_own() {
        let part = |revision: Option<&str>| {
            Ok(Source::Hub {
                id: "owner/name".into(),
                revision: revision.map(str::to_string),
                part: Some("text_encoder_2/".into()),
            })
        };
        assert_eq!(parse("owner/name/text_encoder_2"), part(None));
        let page = "https://huggingface.co/owner/name/tree/main/text_encoder_2";
        assert_eq!(parse(page), part(Some("main")));
    }

    #[test]
    fn ids_urls_and_pages_are_told_apart() {
        assert_eq!(
            parse("openai/clip-vit-base-patch32"),
            hub("openai/clip-vit-base-patch32", None)
        );
        let page = "https://huggingface.co/Salesforce/blip-vqa-base";
        assert_eq!(parse(page), hub("Salesforce/blip-vqa-base", None));
        let at = format!("{page}/tree/refs%2Fpr%2F4");
        assert_eq!(
            parse(&at),
            hub("Salesforce/blip-vqa-base", Some("refs/pr/4"))
        );
        let resolved = format!("{page}/resolve/main");
        assert_eq!(parse(&resolved), Ok(Source::Folder(resolved)));
        let folder = Ok(Source::Folder("http://localhost:1/models/blip".into()));
        assert_eq!(parse("http://localhost:1/models/blip/"), folder);
        let file = "https://host/blip.Q8_0.GGUF?download=true";
        assert_eq!(parse(file), Ok(Source::File(file.into())));
    }

    #[test]
    fn what_exists_is_local() {
        assert_eq!(parse("/tmp"), Ok(Source::Local("/tmp".into())));
    }

    #[test]
    fn other_texts_are_refused() {
        for (model, reason) in [
            ("nowhere.gguf", "no such file"),
            ("nowhere", "no such file"),
            ("models/nowhere.gguf", "no such file"),
            ("../a", "no such file"),
            ("a/b/c", "no such file"),
            ("ftp://host/a.gguf", "only http:// and https://"),
            ("https://host/model.safetensors", "the URL of their folder"),
        ] {
            let error = parse(model).unwrap_err();
            assert_eq!(error.code(), "bad_input");
            assert!(error.to_string().contains(reason), "{error}");
            assert!(error.to_string().contains(model), "{error}");
        }
    }
}
