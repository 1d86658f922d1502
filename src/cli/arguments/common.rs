//! Options of every command.

use clap::{Args, ValueEnum};
use obscura::device::DevicePreference;
use obscura::image::Grey16;
use obscura::kernels::Precision;
use obscura::nn::Dtype;
use std::path::PathBuf;

/// Options of every command.
#[derive(Debug, Args)]
pub struct Common {
    /// The model, instead of one before the other words [default: OBSCURA_MODEL, or the one that comes with
    /// obscura, pictograms, which knows drawings only]
    #[arg(long = "model", global = true, value_name = "MODEL")]
    pub named_model: Option<PathBuf>,
    /// Where to compute: auto is a real GPU, where there is one, else the CPU
    #[arg(long, global = true, value_enum, default_value = "auto")]
    device: DeviceArgument,
    /// Number format of the weights: auto keeps a .gguf as it is and makes other files q8 (q4 above 600 million numbers);
    /// f32 is unquantized
    #[arg(long, global = true, value_enum, default_value = "auto")]
    dtype: DtypeArgument,
    /// What layers with q8 and q4 weights take on the CPU: fast rounds it to 8 bits where the processor multiplies
    /// bytes faster, exact to 16
    #[arg(long, global = true, value_enum, default_value = "fast")]
    precision: PrecisionArgument,
    /// Print one JSON object per picture instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// Where MODEL is a hub id: its branch, tag or commit [default: main]
    #[arg(long, global = true, value_name = "REV")]
    pub revision: Option<String>,
    /// Merge this LoRA adapter (a folder that PEFT has saved, its URL, or a hub id) into MODEL's weights; may be
    /// given several times
    #[arg(long = "adapter", global = true, value_name = "ADAPTER")]
    pub adapters: Vec<PathBuf>,
    /// Where MODEL is an adapter itself: the model that it was made for [default: the one that the adapter names]
    #[arg(long, global = true, value_name = "MODEL")]
    pub base: Option<PathBuf>,
    /// What becomes of pictures in grey of 16 bits: levels cut off at 255, as in the reference, which
    /// leaves most of them white, or scaled to 8 bits [default: clip, with a note]
    #[arg(long, global = true, value_enum, value_name = "HOW")]
    grey16: Option<Grey16Argument>,
    /// Of a video: so many frames a second, each a picture by itself
    #[arg(long, global = true, value_name = "N", default_value_t = 1.0, value_parser = frames_a_second)]
    pub fps: f64,
    /// Fail unless MODEL's file of weights has this SHA-256, in hexadecimal
    #[arg(long, global = true, value_name = "HEX")]
    pub sha256: Option<String>,
}

impl Common {
    pub fn device(&self) -> DevicePreference {
        match self.device {
            DeviceArgument::Auto => DevicePreference::Auto,
            DeviceArgument::Cpu => DevicePreference::Cpu,
            DeviceArgument::Gpu => DevicePreference::Gpu,
            #[cfg(feature = "cuda")]
            DeviceArgument::Cuda => DevicePreference::Cuda,
        }
    }

    /// None where nothing was said.
    pub fn grey16(&self) -> Option<Grey16> {
        self.grey16.map(|grey16| match grey16 {
            Grey16Argument::Clip => Grey16::Clip,
            Grey16Argument::Scale => Grey16::Scale,
        })
    }

    pub fn precision(&self) -> Precision {
        match self.precision {
            PrecisionArgument::Fast => Precision::Fast,
            PrecisionArgument::Exact => Precision::Exact,
        }
    }

    pub fn dtype(&self) -> Dtype {
        match self.dtype {
            DtypeArgument::Auto => Dtype::Auto,
            DtypeArgument::Q4 => Dtype::Q4,
            DtypeArgument::Q8 => Dtype::Q8,
            DtypeArgument::F16 => Dtype::F16,
            DtypeArgument::F32 => Dtype::F32,
        }
    }
}

fn frames_a_second(text: &str) -> Result<f64, String> {
    let rate = text
        .parse()
        .ok()
        .filter(|rate| (0.001..=1000.0).contains(rate));
    rate.ok_or_else(|| "a number from 0.001 to 1000 is expected".to_string())
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Grey16Argument {
    Clip,
    Scale,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DeviceArgument {
    Auto,
    Cpu,
    Gpu,
    #[cfg(feature = "cuda")]
    Cuda,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PrecisionArgument {
    Fast,
    Exact,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DtypeArgument {
    Auto,
    Q4,
    Q8,
    F16,
    F32,
}
