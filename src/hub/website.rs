//! Files and folders behind plain URLs, in a cache of our own: a folder for each URL, with the files
//! under their names, and what tells their versions apart (ETags, or dates) in `.versions/`, where an
//! `.absent` says of a file that the server had none.

use super::address::{beside, in_folder, is_plain_name, parts, shown, split_last};
use super::client::Client;
use super::download::{Job, Outcome, download};
use super::lock::{Lock, create_folder};
use super::partial::write_at_once;
use super::patience::Patience;
use super::wanted::{Folder, collect, collect_texts};
use super::{CheckConfig, Event, Observer, Options, check_file, hexadecimal};
use crate::load::CONFIG_KEY;
use crate::load::layout::is_part;
use crate::weights::{Parsed, gguf::Header};
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The file behind a URL.
pub fn fetch_file(
    url: &str,
    sha256: Option<String>,
    options: &Options,
    client: &Client,
    observer: &mut Observer,
) -> Result<PathBuf> {
    let name = last_segment(url)
        .filter(|name| is_plain_name(name))
        .unwrap_or("model.gguf")
        .to_string();
    let mut website = Website::new(url, options, client, observer)?;
    let Some(path) = website.get_from(url, &name, sha256.as_deref())? else {
        return Err(Error::Network(match options.environment.offline {
            true => format!(
                "{} is not in the cache, and HF_HUB_OFFLINE forbids to fetch it",
                shown(url)
            ),
            false => format!("{}: the server has no such file (HTTP 404)", shown(url)),
        }));
    };
    if lacks_texts(&path) {
        website.beside = true;
        collect_texts(&mut website)?;
    }
    Ok(path)
}

/// Whether a GGUF file needs files beside it. What is wrong with it is the loader's to say.
fn lacks_texts(path: &Path) -> bool {
    let mut beginning = Vec::new();
    let Ok(mut file) = std::fs::File::open(path) else {
        return false;
    };
    loop {
        let room = beginning.len().max(1 << 18) as u64;
        let count = std::io::Read::by_ref(&mut file)
            .take(room)
            .read_to_end(&mut beginning);
        match Header::parse(&beginning, u64::MAX) {
            Ok(Parsed::Complete(header)) => return header.text(CONFIG_KEY).is_err(),
            Ok(Parsed::Incomplete) if count.is_ok_and(|count| count > 0) => {}
            _ => return false,
        }
    }
}

/// The folder behind a URL.
pub fn fetch_folder(
    url: &str,
    sha256: Option<String>,
    options: &Options,
    client: &Client,
    check_config: &CheckConfig,
    observer: &mut Observer,
) -> Result<PathBuf> {
    // A pipeline's part has its texts beside itself.
    let (url, part) = split_last(url, is_part);
    let part = part.map(|part| format!("{part}/"));
    let mut website = Website::new(&url, options, client, observer)?;
    collect(
        &mut website,
        part.as_deref(),
        sha256.as_deref(),
        check_config,
    )?;
    Ok(website.folder.join(part.unwrap_or_default()))
}

fn last_segment(url: &str) -> Option<&str> {
    let path = parts(url)?.path;
    path.trim_end_matches('/').rsplit('/').next()
}

struct Website<'a, 'o> {
    url: &'a str,
    options: &'a Options,
    client: &'a Client,
    observer: &'a mut Observer<'o>,
    /// Whether the files are beside the URL, not below it.
    beside: bool,
    /// Where they are kept.
    folder: PathBuf,
}

impl fmt::Display for Website<'_, '_> {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let url = shown(self.url);
        match self.options.environment.offline {
            true => write!(
                formatter,
                "{url}, as it is cached in {},",
                self.folder.display()
            ),
            false => write!(formatter, "{url}"),
        }
    }
}

impl Folder for Website<'_, '_> {
    fn has(&self, file: &str) -> bool {
        self.folder.join(file).exists()
    }

    fn get(&mut self, file: &str, sha256: Option<&str>) -> Result<Option<PathBuf>> {
        let url = match self.beside {
            true => beside(self.url, file),
            false => in_folder(self.url, file),
        };
        self.get_from(&url, file, sha256)
    }
}

impl<'a, 'o> Website<'a, 'o> {
    fn new(
        url: &'a str,
        options: &'a Options,
        client: &'a Client,
        observer: &'a mut Observer<'o>,
    ) -> Result<Self> {
        let hash = hexadecimal(&Sha256::digest(shown(url)));
        let name = last_segment(url)
            .filter(|name| is_plain_name(name))
            .unwrap_or("model");
        let folder = options
            .environment
            .url_cache
            .join(format!("{name}-{}", &hash[..16]));
        if !options.environment.offline {
            create_folder(&folder.join(".versions"))?;
        }
        Ok(Self {
            url,
            options,
            client,
            observer,
            beside: false,
            folder,
        })
    }

    fn get_from(&mut self, url: &str, file: &str, sha256: Option<&str>) -> Result<Option<PathBuf>> {
        let target = self.folder.join(file);
        let lock = match self.options.environment.offline {
            true => None,
            false => {
                for folder in [&self.folder, &self.folder.join(".versions")] {
                    create_folder(folder.join(file).parent().unwrap_or(folder))?;
                }
                let path = self.folder.join(".versions").join(format!("{file}.lock"));
                Some(Lock::acquire(&path, file, self.observer)?)
            }
        };
        let here =
            target.exists() && sha256.is_none_or(|expected| check_file(&target, expected).is_ok());
        let Some(lock) = lock else {
            return Ok(here.then_some(target));
        };
        let version = self.folder.join(".versions").join(file);
        let absence = self.folder.join(".versions").join(format!("{file}.absent"));
        let is_settled = here || absence.exists();
        let known = std::fs::read_to_string(&version).ok().filter(|_| here);
        let job = Job {
            url,
            file,
            target: &target,
            size: None,
            sha256,
            hub_etag: None,
            known: known.as_deref(),
        };
        let patience = if is_settled {
            Patience::none()
        } else {
            self.options.patience.clone()
        };
        match download(self.client, &patience, &job, &lock, self.observer) {
            Ok(Outcome::Received { validator }) => {
                let _ = std::fs::remove_file(&absence); // there is none, as a rule
                match validator {
                    Some(validator) => write_at_once(&version, &validator)?,
                    None => drop(std::fs::remove_file(&version)), // it is fetched anew each time
                }
                Ok(Some(target))
            }
            Ok(Outcome::Unchanged) => Ok(Some(target)),
            Ok(Outcome::Missing | Outcome::Changed) => {
                let _ = std::fs::remove_file(&target); // as the server has done
                write_at_once(&absence, "")?; // to be known without the server
                Ok(None)
            }
            Err(Error::Network(message)) if is_settled => {
                let what = if here { "Using" } else { "Doing without" };
                let notice = format!("{message}. {what} {file} as it was last fetched");
                (self.observer)(Event::Notice(&notice));
                Ok(here.then_some(target))
            }
            Err(error) => Err(error),
        }
    }
}
