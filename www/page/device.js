// Why a model runs where it runs and as it does, in words.

/** `wanted` is "auto", "webgpu" or "cpu". */
export async function whyDevice(wanted, { device, adapter }) {
  const name = adapter ? ` (${adapter})` : "";
  if (wanted === "cpu") return "On the CPU, as you chose.";
  if (wanted === "webgpu") return `On WebGPU${name}, as you chose.`;
  if (device === "webgpu") return `On WebGPU${name}: this browser offers a GPU.`;
  return `On the CPU: ${await lackOfGpu()}.`;
}

async function lackOfGpu() {
  if (!isSecureContext) return "browsers offer WebGPU on pages of https and of this machine only";
  if (!navigator.gpu) return "this browser has no WebGPU";
  const found = await navigator.gpu.requestAdapter().catch(() => null);
  if (!found) return "WebGPU finds no GPU here";
  const isSoftware = found.isFallbackAdapter ?? found.info?.isFallbackAdapter;
  return isSoftware ? "the only GPU here is one of software, which is slower" : "the GPU lacks what the model needs";
}

export function whyDtype(wanted, { dtype, parameters }, isEmbedded) {
  if (wanted !== "auto") return `Weights as ${dtype}, as you chose.`;
  if (isEmbedded) return `Weights as ${dtype}, as they come with the page.`;
  const size = parameters > 600e6 ? "small enough for a tab" : "nearly as exact as the original at a quarter of its size";
  return `Weights as ${dtype}: ${size}.`;
}
