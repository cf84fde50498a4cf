"""A model as it stands after a phase: base checkpoint + rows + adapter (or a fully trained body).

Everything is loaded frozen; who trains something unfreezes it.
"""

from pathlib import Path
from typing import Any

import numpy as np

from wake2vec.bases.checkpoint import folder_of
from wake2vec.errors import UserError
from wake2vec.model.rows import freeze, inject, widen_body
from wake2vec.settings import head_mode
from wake2vec.storage import load_arrays, read_values


def load_base(
    manifest: str | Path, precision: str = "float32", quantisation: str = "none", device: str | None = None
) -> Any:
    """The base's causal model, frozen, in eval mode, on `device`: by default the GPU where there is one."""
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    values = read_values(manifest)
    options: dict[str, Any] = {
        "dtype": getattr(torch, precision),
        "trust_remote_code": values.get("trust_remote_code", False),
    }
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if quantisation == "nf4":
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=getattr(torch, precision),
        )
        options["device_map"] = {"": device}
    causal = AutoModelForCausalLM.from_pretrained(folder_of(manifest), **options)
    if quantisation == "none":
        causal.to(device)
    for module in causal.modules():
        # bitsandbytes repacks a layer at its first evaluation on a CPU with AVX512-BF16, for good, and no gradient
        # comes through a repacked layer afterwards: training would go on without the transformer's share, in silence
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    freeze(causal)
    return causal.eval()


def assemble(
    manifest: str | Path,
    rows: str | Path | None = None,
    head: str = "native",
    adapter: str | Path | None = None,
    body: str | Path | None = None,
    precision: str = "float32",
    quantisation: str = "none",
    train_adapter: bool = False,
    merge: bool = False,
    device: str | None = None,
) -> Any:
    """Base + rows.safetensors + a PEFT adapter (its weights file, in its folder) + named weights on top (`body`).

    With none of the three it is the plain base model. With `merge` the adapter is added to the weights that it adapts,
    and gone. A fully trained body is float32, as it was trained, whatever the base's precision.
    """
    causal = load_base(manifest, precision, quantisation, device)
    if rows is not None:
        arrays = load_arrays(rows)
        inject(causal, arrays["embedding.new"], arrays.get("head.new"), head_mode(head, read_values(manifest)["tied"]))
        _restore_base_rows(causal, arrays)
    if adapter is not None:
        from peft import PeftModel

        # LoRA layers go into the causal model in place; the wrapper is not needed afterwards
        adapted = PeftModel.from_pretrained(causal, Path(adapter).parent, is_trainable=train_adapter)
    if body is not None:
        arrays = load_arrays(body)
        if not any("lora_" in name for name in arrays):
            widen_body(causal)
        load_named(causal, arrays)
    if merge and adapter is not None:
        adapted.merge_and_unload()
    return causal


def _restore_base_rows(causal: Any, arrays: dict[str, np.ndarray]) -> None:
    """Base rows that a phase trained (`train: all`, `masked`) take the place of the checkpoint's, in float32."""
    import torch

    for side, module in (("embedding", causal.get_input_embeddings()), ("head", causal.get_output_embeddings())):
        if f"{side}.base" in arrays:
            module.base.data = torch.from_numpy(arrays[f"{side}.base"]).to(module.base.device)


def load_named(module: Any, arrays: dict[str, np.ndarray]) -> None:
    """Copy arrays into a module's parameters of the same names. Raises UserError where one is missing or misshapen."""
    import torch

    parameters = dict(module.named_parameters())
    for name, array in arrays.items():
        if name not in parameters or parameters[name].shape != array.shape:
            raise UserError(f"saved weights do not fit the model: {name} {list(array.shape)}.")
        with torch.no_grad():
            parameters[name].copy_(torch.from_numpy(array))


def trainable(module: Any) -> dict[str, np.ndarray]:
    """What trains, by name, float32, shared parameters once. On a CPU these are views: they change with the model."""
    return {
        name: parameter.detach().float().cpu().numpy()
        for name, parameter in module.named_parameters()
        if parameter.requires_grad
    }
