//! Which files of a repository or a website's folder are wanted: few of those that are there. The loader
//! itself looks for them, as it will in the folder that they make; what it asks for is fetched.

use super::adapters::is_of_another;
use super::{CheckConfig, check_file};
use crate::load::generation::Generation;
use crate::load::layout::{ALONE, Configuration, Layout};
use crate::load::{
    self, ADAPTER_CONFIG_FILE, ADAPTER_WEIGHT_FILES, Files, Promises, at_once, text_file, texts,
};
use crate::{Error, Result};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A folder, here or elsewhere. It is displayed as people know it.
pub trait Folder: Display {
    /// Whether the file is here already.
    fn has(&self, file: &str) -> bool;

    /// The file on this machine, fetched if need be; `None` if there is no such file.
    fn get(&mut self, file: &str, sha256: Option<&str>) -> Result<Option<PathBuf>>;

    /// The name of the repository, if it is the hub's.
    fn id(&self) -> Option<&str> {
        None
    }
}

/// Fetches everything that a model needs, which is the one in the folder `part` if that is named, or an
/// adapter in place of one. `sha256` is that of the weights.
pub fn collect(
    folder: &mut dyn Folder,
    part: Option<&str>,
    sha256: Option<&str>,
    check_config: &CheckConfig,
) -> Result<()> {
    let name = folder.to_string();
    let files = Fetching::new(folder, sha256);
    at_once(collect_model(&files, part, check_config)).map_err(|error| load::named(&name, error))
}

async fn collect_model(
    files: &Fetching<'_>,
    part: Option<&str>,
    check_config: &CheckConfig<'_>,
) -> Result<()> {
    let none = Promises::new();
    let mut layout = Layout::find(files, part, &none).await?;
    let adapter = format!("{}{ADAPTER_CONFIG_FILE}", layout.folder);
    if let Some(text) = text_file::read(files, &adapter, &none).await? {
        let has_model = layout.configuration != Configuration::None;
        let is_alone = !has_model || is_of_another(&text, files.folder.borrow().id());
        files.fetch_adapter(&layout.folder, is_alone)?;
        if is_alone {
            return Ok(());
        }
    }
    match &layout.configuration {
        Configuration::HuggingFace(config) => check_config(config)?,
        // open_clip's own configuration says everything.
        Configuration::OpenClip(_) => {}
        // A GGUF file may hold it.
        Configuration::None if files.size(ALONE).await?.is_some() => return Ok(()),
        // The shapes of open_clip's tensors tell it.
        Configuration::None if layout.has_open_clips_weights(files).await? => {
            layout = layout.with_open_clip("{}");
        }
        Configuration::None => {
            return Err(Error::BadWeights(
                "there is no config.json, which every model in Hugging Face layout has".to_string(),
            ));
        }
    }
    let takes = layout.takes();
    let by_itself = matches!(layout.configuration, Configuration::OpenClip(_));
    if takes.pictures && !by_itself && texts::preprocessor(files, &layout, &none).await?.is_none() {
        return Err(Error::BadWeights(texts::no_preprocessor(&layout)));
    }
    if let Configuration::HuggingFace(config) = &layout.configuration {
        Generation::fetch(files, &layout.folder, config).await?;
    }
    if takes.texts && texts::tokenizer_files(files, &layout).await?.is_none() {
        return Err(Error::BadWeights(texts::no_tokenizer(&layout)));
    }
    layout.weights(files, &none).await.map(drop)
}

/// Fetches what there is beside a GGUF file that does not hold its texts itself.
pub fn collect_texts(folder: &mut dyn Folder) -> Result<()> {
    let files = Fetching::new(folder, None);
    let none = Promises::new();
    at_once(async {
        let layout = Layout::in_folder(&files, "", &none).await?;
        texts::preprocessor(&files, &layout, &none).await?;
        texts::tokenizer_files(&files, &layout).await.map(drop)
    })
}

/// A folder's files for the loader: whichever it asks for is fetched.
struct Fetching<'f> {
    folder: RefCell<&'f mut dyn Folder>,
    /// That of the weights.
    sha256: Option<&'f str>,
    /// What has been asked for, so that it is asked for once.
    known: RefCell<BTreeMap<String, Option<PathBuf>>>,
}

impl<'f> Fetching<'f> {
    fn new(folder: &'f mut dyn Folder, sha256: Option<&'f str>) -> Self {
        Self {
            folder: RefCell::new(folder),
            sha256,
            known: RefCell::default(),
        }
    }

    /// Fetches the weights of an adapter, whose SHA-256 it is that is known if it is alone.
    fn fetch_adapter(&self, folder: &str, is_alone: bool) -> Result<()> {
        let mut names = ADAPTER_WEIGHT_FILES.map(|name| format!("{folder}{name}"));
        names.sort_by_key(|name| !self.is_at_hand(name));
        let sha256 = self.sha256.filter(|_| is_alone);
        for name in &names {
            if self.folder.borrow_mut().get(name, sha256)?.is_some() {
                return Ok(());
            }
        }
        Err(Error::BadWeights(format!(
            "there is {ADAPTER_CONFIG_FILE}, but not the adapter's weights, {}",
            names.join(" or ")
        )))
    }

    fn get(&self, file: &str) -> Result<Option<PathBuf>> {
        if let Some(known) = self.known.borrow().get(file) {
            return Ok(known.clone());
        }
        let found = self.ask(file)?;
        let mut known = self.known.borrow_mut();
        known.insert(file.to_string(), found.clone());
        Ok(found)
    }

    fn ask(&self, file: &str) -> Result<Option<PathBuf>> {
        let is_text = file.ends_with(".json") || file.ends_with(".txt");
        let sha256 = self.sha256.filter(|_| !is_text);
        let found = self.folder.borrow_mut().get(file, sha256)?;
        if found.is_some() && self.sha256.is_some() && file.contains(".index.") {
            return Err(Error::BadInput(
                "--sha256 is for one weight file, but this model has them in parts".to_string(),
            ));
        }
        Ok(found)
    }
}

impl Files for Fetching<'_> {
    async fn size(&self, file: &str) -> Result<Option<u64>> {
        let Some(path) = self.get(file)? else {
            return Ok(None);
        };
        match path.metadata() {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) => Err(cannot_read(&path, &error)),
        }
    }

    async fn read(&self, file: &str, offset: u64, length: u64) -> Result<Vec<u8>> {
        let path = self.get(file)?.unwrap_or_else(|| PathBuf::from(file));
        let mut bytes = Vec::new();
        let read = std::fs::File::open(&path).and_then(|mut file| {
            file.seek(SeekFrom::Start(offset))?;
            file.take(length).read_to_end(&mut bytes)
        });
        read.map_err(|error| cannot_read(&path, &error))?;
        Ok(bytes)
    }

    fn is_at_hand(&self, file: &str) -> bool {
        self.folder.borrow().has(file)
    }
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Error {
    Error::BadWeights(format!("{} cannot be read: {error}", path.display()))
}

/// Checks the weights of a file or a folder that is here.
pub fn check_local(path: &Path, sha256: &str) -> Result<()> {
    if path.is_file() {
        return check_file(path, sha256);
    }
    let (folder, none) = (load::Folder(path.to_path_buf()), Promises::new());
    let weights = at_once(async {
        let layout = Layout::find(&folder, None, &none).await?;
        layout.weights(&folder, &none).await
    });
    let adapter = ADAPTER_WEIGHT_FILES.map(|name| path.join(name));
    let adapter = adapter.into_iter().find(|file| file.exists());
    if let (Err(_), Some(adapter)) = (&weights, adapter) {
        return check_file(&adapter, sha256);
    }
    match &weights?[..] {
        [(file, _)] => check_file(&path.join(file), sha256),
        _ => Err(Error::BadInput(format!(
            "--sha256 is for one weight file, but {} has them in parts",
            path.display()
        ))),
    }
}
