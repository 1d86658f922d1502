//! The families of models.

/// The model families.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Radford et al., arXiv 2103.00020.
    Clip,
    /// Yang et al., arXiv 2211.01335.
    ChineseClip,
    /// Zhai et al., arXiv 2303.15343, and Tschannen et al., arXiv 2502.14786.
    Siglip,
    /// Li et al., arXiv 2201.12086.
    Blip,
    /// Yu et al., arXiv 2205.01917.
    Coca,
}

impl Family {
    /// `general.architecture` in GGUF, `model_type` in config.json.
    pub fn name(self) -> &'static str {
        match self {
            Family::Clip => "clip",
            Family::ChineseClip => "chinese_clip",
            Family::Siglip => "siglip",
            Family::Blip => "blip",
            Family::Coca => "coca",
        }
    }
}
