"""The adapter to transformers: preprocessing, the tokenizer, and what cannot be loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from livevlm.backbone import Backbone
from livevlm.errors import ConfigError, ModelNotFound
from livevlm.hf import Pixels, load
from livevlm.models import list_models, load_backbone
from livevlm.toy import ToyBackbone
from tests.livevlm.tiny import backbone, checkpoint

CPU = torch.device("cpu")


def test_pixels_are_normalised_as_the_file_says() -> None:
    """Rescale, minus mean, over std, channel by channel, computed by hand for one pixel."""
    pixels = Pixels.read(
        json.dumps(
            {"rescale_factor": 1 / 255, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.2, 0.1]}
        )
    )
    picture = np.zeros((1, 2, 2, 3), np.uint8)
    picture[0, 0, 1] = (255, 102, 51)
    out = pixels.tensor(picture, CPU, torch.float32)
    assert out.shape == (1, 3, 2, 2)
    torch.testing.assert_close(out[0, :, 0, 1], torch.tensor([1.0, 0.0, -1.0]), atol=1e-6, rtol=0)


def test_pixels_left_out_are_siglips() -> None:
    """A checkpoint without preprocessor files gets 0.5 and 0.5; switches that are off are off."""
    assert Pixels.read("{}") == Pixels(1 / 255, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    raw = Pixels.read(json.dumps({"do_rescale": False, "do_normalize": False}))
    assert raw.tensor(
        np.full((1, 1, 1, 3), 200, np.uint8), CPU, torch.float32
    ).flatten().tolist() == [200, 200, 200]


def test_the_chat_template_is_cut_at_video_and_question() -> None:
    """The parts put together again are the template's own text."""
    codec = backbone(torch.float32).codec
    layout = codec.layout("")
    assert layout.before_video.startswith("<|im_start|>user")
    assert layout.ask("why?").startswith("\nwhy?")
    assert layout.ask("why?").endswith("<|im_start|>assistant\n")
    assert "Be brief." in codec.layout("Be brief.").before_video


@pytest.mark.parametrize("text", ["what colour?", "żółć 🎈 \n tab\t", ""])
def test_any_text_survives_the_tokenizer(text: str) -> None:
    """Byte-level: nothing is unknown."""
    codec = backbone(torch.float32).codec
    assert codec.decode(codec.encode(text)) == text


def test_a_missing_folder_is_named_with_the_way_out() -> None:
    """Neither a traceback nor an attempt to download."""
    with pytest.raises(ModelNotFound, match=r"/no/such/model.*checkpoint folder"):
        load_backbone("/no/such/model")


@pytest.mark.parametrize(
    "broken", ["empty", "other class", "no weights", "garbage weights", "garbage configuration"]
)
def test_a_folder_that_holds_no_such_model_is_refused(broken: str, tmp_path: Path) -> None:
    """Each broken checkpoint is a ModelNotFound that names the folder."""
    folder = tmp_path / "model"
    if broken == "empty":
        folder.mkdir()
    else:
        shutil.copytree(checkpoint(), folder)
    if broken == "other class":
        (folder / "config.json").write_text(
            json.dumps({"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]})
        )
    if broken == "no weights":
        (folder / "model.safetensors").unlink()
    if broken == "garbage weights":
        (folder / "model.safetensors").write_bytes(b"\xff" * 1000)
    if broken == "garbage configuration":
        (folder / "config.json").write_text("{")
    with pytest.raises(ModelNotFound, match="model"):
        load(str(folder), device=CPU, dtype=None)


def test_a_device_that_is_not_there_is_a_configuration_error() -> None:
    """Asking for CUDA where there is none says so, and what to do."""
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="cuda"):
            load_backbone("toy", device="cuda")


def test_threads_dtype_and_folder_reach_the_model() -> None:
    """A folder loads by its path, in the dtype that was asked for."""
    model = load_backbone(str(checkpoint()), dtype="bfloat16", device="cpu", threads=1)
    assert model.dtype == torch.bfloat16
    assert model.name == str(checkpoint())
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize("kind", ["toy", "tiny"])
def test_backbones_keep_their_promises(kind: str) -> None:
    """Shapes of what goes in and comes out are those that the protocol states."""
    model: Backbone = ToyBackbone() if kind == "toy" else backbone(torch.float32)
    width, height = model.frame_size
    tokens = model.encode(np.zeros((2, height, width, 3), np.uint8))
    assert tokens.shape[:3] == (2, *model.frame_grid)
    assert model.embed([1, 2, 3]).shape == (3, tokens.shape[3])
    assert model.rope.inv_freq.shape == (model.kv.head_dim // 2,)
    assert max(model.codec.stop_ids) < model.logits(model.embed([1])).shape[1]


def test_models_that_are_known_are_listed_with_their_sizes() -> None:
    """The list names the bundled model first."""
    names = [model.name for model in list_models()]
    assert names[0] == "bundled"
    assert "llava-hf/llava-onevision-qwen2-7b-ov-hf" in names
