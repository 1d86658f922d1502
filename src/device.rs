//! Where a model computes: the CPU, or a GPU through WebGPU (natively: Vulkan, Metal or DirectX).

use crate::kernels::Precision;
use crate::{Error, Result};
#[cfg(not(target_arch = "wasm32"))]
use burn::backend::{BackendTensor, DispatchTensorKind};
use burn::tensor::{Device, Tensor};
#[cfg(not(target_arch = "wasm32"))]
use burn_wgpu::{into_contiguous, wgpu};
#[cfg(not(target_arch = "wasm32"))]
use cubecl::server::CopyDescriptor;
use std::str::FromStr;
#[cfg(not(target_arch = "wasm32"))]
use std::sync::OnceLock;

/// What a caller asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DevicePreference {
    /// A real GPU if there is one, else the CPU.
    #[default]
    Auto,
    /// The GPU or an error.
    Gpu,
    /// The CPU.
    Cpu,
    /// An NVIDIA card through CUDA, for training.
    #[cfg(feature = "cuda")]
    Cuda,
}

impl FromStr for DevicePreference {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "auto" => Ok(Self::Auto),
            "webgpu" | "gpu" => Ok(Self::Gpu),
            "cpu" => Ok(Self::Cpu),
            #[cfg(feature = "cuda")]
            "cuda" => Ok(Self::Cuda),
            _ => Err(Error::BadInput(format!(
                "unknown device '{name}': expected auto, webgpu (or gpu) or cpu"
            ))),
        }
    }
}

/// A device and how it is called in `model.info`.
#[derive(Debug, Clone)]
pub struct Placement {
    /// The device.
    pub device: Device,
    /// `webgpu` or `cpu`.
    pub name: &'static str,
    /// The GPU's description, where the platform tells.
    pub adapter: Option<String>,
    /// How exactly the CPU computes.
    pub precision: Precision,
}

impl Placement {
    /// The CPU. It is always there.
    pub fn cpu() -> Self {
        Self {
            device: Device::flex(),
            name: "cpu",
            adapter: None,
            precision: Precision::default(),
        }
    }

    /// The same, where the CPU computes in this way.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// A GPU device.
    pub fn gpu(device: Device, adapter: Option<String>) -> Self {
        Self {
            device,
            name: "webgpu",
            adapter,
            precision: Precision::default(),
        }
    }
}

/// Opens the device asked for. The GPU is opened once per process.
#[cfg(not(target_arch = "wasm32"))]
pub fn open(preference: DevicePreference) -> Result<Placement> {
    match preference {
        DevicePreference::Cpu => Ok(Placement::cpu()),
        DevicePreference::Gpu => open_gpu(),
        #[cfg(feature = "cuda")]
        DevicePreference::Cuda => Ok(Placement {
            device: Device::cuda(0),
            name: "cuda",
            adapter: None,
            precision: Precision::default(),
        }),
        DevicePreference::Auto if !has_real_gpu() => Ok(Placement::cpu()),
        DevicePreference::Auto => Ok(open_gpu().unwrap_or_else(|_| Placement::cpu())),
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn open_gpu() -> Result<Placement> {
    static GPU: OnceLock<Result<(Device, String)>> = OnceLock::new();
    // Without any adapter the runtime panics instead of returning its error.
    let opened = GPU.get_or_init(|| {
        std::panic::catch_unwind(|| Device::wgpu_options().init_with_setup())
            .map_err(|_| no_gpu("no adapter was found"))?
            .map(|(device, setup)| (device, setup.adapter.get_info().name))
            .map_err(|error| no_gpu(&error.to_string()))
    });
    let (device, name) = opened.clone()?;
    Ok(Placement::gpu(device, Some(name)))
}

/// Whether there is a GPU that is no program, as Mesa's llvmpipe is: that takes the CPU, and takes
/// longer than the CPU's own kernels.
#[cfg(not(target_arch = "wasm32"))]
fn has_real_gpu() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let adapters = std::panic::catch_unwind(|| {
            let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
                backends: wgpu::Backends::PRIMARY,
                ..wgpu::InstanceDescriptor::new_without_display_handle()
            });
            crate::at_once::at_once(instance.enumerate_adapters(wgpu::Backends::PRIMARY))
        });
        let is_real = |adapter: &wgpu::Adapter| {
            let kind = adapter.get_info().device_type;
            !matches!(kind, wgpu::DeviceType::Cpu | wgpu::DeviceType::Other)
        };
        adapters.is_ok_and(|adapters| adapters.iter().any(is_real))
    })
}

/// The error of a missing GPU.
pub fn no_gpu(why: &str) -> Error {
    Error::NoDevice(format!(
        "no GPU can be used here ({why}): choose the cpu device"
    ))
}

/// Whether a device only takes in what it is asked to compute, and computes it later: what follows can
/// then be asked for before a result is read.
pub fn works_ahead(device: &Device) -> bool {
    device.clone().without_autodiff() != Device::flex()
}

/// Has a device begin with what it was asked for, which it may be collecting.
pub fn flush(device: &Device) -> Result<()> {
    device.flush().map_err(|error| lost(&error))
}

/// A small tensor's numbers, read back from its device. They are asked for at the first poll.
pub async fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    #[cfg(not(target_arch = "wasm32"))]
    if let DispatchTensorKind::Cube(BackendTensor::Float(tensor)) =
        tensor.clone().into_dispatch().kind
    {
        // Natively Burn copies when the numbers are looked at, which is after all else that was asked for.
        let tensor = into_contiguous(tensor);
        let (shape, strides) = (tensor.meta.shape().clone(), tensor.meta.strides().clone());
        let copy = CopyDescriptor::new(tensor.handle.binding(), shape, strides, size_of::<f32>());
        let bytes = tensor.client.read_one_tensor_async(copy).await;
        let bytes = bytes.map_err(|error| lost(&error))?;
        return Ok(bytemuck::pod_collect_to_vec(&bytes));
    }
    let data = tensor
        .into_data_async()
        .await
        .map_err(|error| lost(&error))?;
    data.try_to_vec().map_err(|error| lost(&error))
}

fn lost(error: &dyn std::fmt::Debug) -> Error {
    Error::DeviceLost(format!("the device did not return a result: {error:?}"))
}
