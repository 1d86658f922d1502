//! What the environment says, by the variables of the hub's own tools:
//! <https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables>

use super::address::parts;
use crate::{Error, Result};
use std::fmt;
use std::path::PathBuf;

/// Hub, token and folders.
#[derive(Clone, PartialEq, Eq)]
pub struct Environment {
    /// The hub's address, without a slash at its end (`HF_ENDPOINT`).
    pub endpoint: String,
    /// Shown to the hub, and to nobody else (`HF_TOKEN`, or the file that `hf auth login` writes).
    pub token: Option<String>,
    /// The cache that is shared with the hub's own tools (`HF_HUB_CACHE`).
    pub hub_cache: PathBuf,
    /// What comes from other URLs.
    pub url_cache: PathBuf,
    /// Use what is in the caches, and no network (`HF_HUB_OFFLINE`).
    pub offline: bool,
}

impl Environment {
    /// This process's environment.
    pub fn from_process() -> Result<Self> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// The environment in which a variable has the value that `variable` returns.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let home = variable("HOME").or_else(|| variable("USERPROFILE"));
        let in_home = |path: &str| PathBuf::from(home.clone().unwrap_or_default()).join(path);
        let folder = |name: &str| {
            variable(name).map(|path| match path.strip_prefix("~/") {
                Some(below) => in_home(below),
                None => PathBuf::from(path),
            })
        };
        let cache = folder("XDG_CACHE_HOME").unwrap_or_else(|| in_home(".cache"));
        let hf_home = folder("HF_HOME").unwrap_or_else(|| cache.join("huggingface"));
        let hub_cache = folder("HF_HUB_CACHE").or_else(|| folder("HUGGINGFACE_HUB_CACHE"));
        let token_file = folder("HF_TOKEN_PATH").unwrap_or_else(|| hf_home.join("token"));
        let token = variable("HF_TOKEN")
            .or_else(|| variable("HUGGING_FACE_HUB_TOKEN"))
            .or_else(|| std::fs::read_to_string(token_file).ok());
        let offline = variable("HF_HUB_OFFLINE").or_else(|| variable("TRANSFORMERS_OFFLINE"));
        Ok(Self {
            endpoint: endpoint(variable("HF_ENDPOINT"))?,
            token: checked_token(token)?,
            hub_cache: hub_cache.unwrap_or_else(|| hf_home.join("hub")),
            url_cache: cache.join("obscura"),
            offline: offline.is_some_and(|value| is_true(&value)),
        })
    }
}

fn endpoint(value: Option<String>) -> Result<String> {
    let endpoint = value.unwrap_or_else(|| "https://huggingface.co".into());
    let endpoint = endpoint.trim().trim_end_matches('/');
    match parts(endpoint) {
        Some(parts) if parts.query.is_empty() => Ok(endpoint.to_string()),
        _ => Err(Error::BadInput(format!(
            "HF_ENDPOINT is \"{}\", expected the http(s) URL of a hub",
            endpoint.escape_debug()
        ))),
    }
}

fn checked_token(token: Option<String>) -> Result<Option<String>> {
    let token = token
        .map(|token| token.trim().to_string())
        .filter(|token| !token.is_empty());
    match token {
        Some(token) if !token.bytes().all(|byte| byte.is_ascii_graphic()) => Err(Error::BadInput(
            "the hub token (HF_TOKEN, or the token file) holds characters that no token has".into(),
        )),
        token => Ok(token),
    }
}

fn is_true(value: &str) -> bool {
    ["1", "on", "yes", "true"].contains(&value.trim().to_ascii_lowercase().as_str())
}

/// Without the token itself, lest it end up in a log.
impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter
            .debug_struct("Environment")
            .field("endpoint", &self.endpoint)
            .field("token", &self.token.as_ref().map(|_| "..."))
            .field("hub_cache", &self.hub_cache)
            .field("url_cache", &self.url_cache)
            .field("offline", &self.offline)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Result<Environment> {
        Environment::from_variables(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.to_string())
        })
    }

    #[test]
    fn the_caches_are_where_the_hubs_own_tools_have_them() {
        fn cache(variables: &[(&str, &str)]) -> PathBuf {
            environment(variables).unwrap().hub_cache
        }
        let home = ("HOME", "/home/me");
        assert_eq!(
            cache(&[home]),
            PathBuf::from("/home/me/.cache/huggingface/hub")
        );
        let xdg = ("XDG_CACHE_HOME", "/cache");
        assert_eq!(cache(&[home, xdg]), PathBuf::from("/cache/huggingface/hub"));
        let hf_home = ("HF_HOME", "~/hf");
        assert_eq!(
            cache(&[home, xdg, hf_home]),
            PathBuf::from("/home/me/hf/hub")
        );
        let exact = ("HF_HUB_CACHE", "/exact");
        assert_eq!(cache(&[home, xdg, hf_home, exact]), PathBuf::from("/exact"));
        let ours = environment(&[home, xdg, hf_home]).unwrap().url_cache;
        assert_eq!(ours, PathBuf::from("/cache/obscura"));
    }

    #[test]
    fn endpoint_and_offline_are_understood() {
        let plain = environment(&[("HF_HUB_OFFLINE", "0")]).unwrap();
        assert_eq!(
            (plain.endpoint.as_str(), plain.offline),
            ("https://huggingface.co", false)
        );
        let mirror = environment(&[
            ("HF_ENDPOINT", "http://localhost:8/hub/"),
            ("HF_HUB_OFFLINE", "True"),
        ]);
        let mirror = mirror.unwrap();
        assert_eq!(
            (mirror.endpoint.as_str(), mirror.offline),
            ("http://localhost:8/hub", true)
        );
        let error = environment(&[("HF_ENDPOINT", "hub.org")]).unwrap_err();
        assert!(error.to_string().contains("HF_ENDPOINT"), "{error}");
    }

    #[test]
    fn a_token_is_read_but_never_printed() {
        let found = environment(&[("HF_TOKEN", " hf_secret\n")]).unwrap();
        assert_eq!(found.token.as_deref(), Some("hf_secret"));
        assert!(!format!("{found:?}").contains("secret"));
        let error = environment(&[("HF_TOKEN", "a\r\nHost: evil")]).unwrap_err();
        assert!(!error.to_string().contains("evil"), "{error}");
    }
}
