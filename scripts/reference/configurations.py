"""The checkpoints that are made: ten small ones that are committed, and the real sizes on demand."""

import torch

from .checkpoints import CLIP_MEAN, CLIP_STD, Checkpoint

INCEPTION = [0.5, 0.5, 0.5]
CLIP_ENTRIES, BLIP_ENTRIES = 1000, 800  # the vocabularies of the small models


def clip_config(vision, text, projection, logit_scale=2.6592):
    shared = {"model_type": "clip", "initializer_factor": 1.0, "logit_scale_init_value": logit_scale}
    return {
        **shared,
        "projection_dim": projection,
        "text_config": {"model_type": "clip_text_model", "dropout": 0.0, "attention_dropout": 0.0, **text},
        "text_config_dict": None,
        "torch_dtype": "float32",
        "vision_config": {"model_type": "clip_vision_model", "num_channels": 3, "attention_dropout": 0.0, **vision},
        "vision_config_dict": None,
    }


def transformer(width, intermediate, layers, heads, act, eps):
    return {
        "hidden_size": width, "intermediate_size": intermediate, "num_hidden_layers": layers,
        "num_attention_heads": heads, "hidden_act": act, "layer_norm_eps": eps,
    }


def old_clip_preprocessor(size):
    """As openai's repositories have it: plain numbers, no do_rescale, no do_convert_rgb."""
    return {
        "crop_size": size, "do_center_crop": True, "do_normalize": True, "do_resize": True,
        "feature_extractor_type": "CLIPFeatureExtractor", "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
        "resample": 3, "size": size,
    }


def new_clip_preprocessor(size, mean, std):
    """As LAION's repositories have it."""
    return {
        "crop_size": {"height": size, "width": size}, "do_center_crop": True, "do_convert_rgb": True,
        "do_normalize": True, "do_rescale": True, "do_resize": True, "feature_extractor_type": "CLIPFeatureExtractor",
        "image_mean": mean, "image_processor_type": "CLIPImageProcessor", "image_std": std, "resample": 3,
        "rescale_factor": 0.00392156862745098, "size": {"shortest_edge": size},
    }


def blip_preprocessor(size):
    return {
        "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": CLIP_MEAN,
        "image_processor_type": "BlipImageProcessor", "image_std": CLIP_STD, "processor_class": "BlipProcessor",
        "resample": 3, "rescale_factor": 0.00392156862745098, "size": {"height": size, "width": size},
    }


def blip_config(vision, text, projection, vocabulary, separator):
    """As the official base models: `encoder_hidden_size` omitted, `eos_token_id` 2 although captions end at [SEP]."""
    return {
        "image_text_hidden_size": projection,
        "initializer_factor": 1.0,
        "logit_scale_init_value": 2.6592,
        "model_type": "blip",
        "projection_dim": 512,
        "text_config": {
            "model_type": "blip_text_model", "attention_probs_dropout_prob": 0.0, "hidden_dropout_prob": 0.0,
            "bos_token_id": vocabulary - 2, "eos_token_id": 2, "pad_token_id": 0, "sep_token_id": separator,
            "initializer_factor": 1.0, "is_decoder": True, "projection_dim": 768, "use_cache": True,
            "vocab_size": vocabulary, **text,
        },
        "text_config_dict": None,
        "torch_dtype": "float32",
        "vision_config": {
            "model_type": "blip_vision_model", "attention_dropout": 0.0, "dropout": 0.0, "initializer_factor": 1.0,
            "num_channels": 3, "projection_dim": 512, **vision,
        },
        "vision_config_dict": None,
    }


def small_blip():
    """Shared by caption, retrieval, question answering and their union.

    Text and vision are equally wide, as they must be for question answering: the reference sizes every
    cross-attention by the vision width, and the answer decoder attends to question states.
    """
    vision = {**transformer(48, 96, 3, 4, "gelu", 1e-5), "image_size": 48, "patch_size": 8}
    text = {**transformer(48, 96, 3, 4, "gelu", 1e-12), "max_position_embeddings": 64}
    return blip_config(vision, text, 24, BLIP_ENTRIES, 7)


def siglip_preprocessor(size, resample):
    return {
        "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": INCEPTION,
        "image_processor_type": "SiglipImageProcessor", "image_std": INCEPTION, "processor_class": "SiglipProcessor",
        "resample": resample, "rescale_factor": 0.00392156862745098, "size": {"height": size, "width": size},
    }


def siglip_config(vision, text):
    """As google's: what is the default of the reference is left out."""
    def without_defaults(of):
        return {name: value for name, value in of.items() if name not in ("hidden_act", "layer_norm_eps")}

    return {
        "initializer_factor": 1.0, "model_type": "siglip",
        "text_config": {"model_type": "siglip_text_model", **without_defaults(text)},
        "vision_config": {"model_type": "siglip_vision_model", **without_defaults(vision)},
    }


def small_siglip():
    """One with what version 1 has: a picture that whole patches do not fill, as so400m at 384; one with what version 2
    has: towers of different width, as gopt, and a tokenizer that pads on the left."""
    one = transformer(48, 80, 2, 4, "", 0)
    tall, text = transformer(64, 96, 2, 2, "", 0), transformer(32, 64, 2, 4, "", 0)
    first = siglip_config({**one, "image_size": 46, "patch_size": 14},
                          {**one, "max_position_embeddings": 16, "vocab_size": 160})
    second = siglip_config({**tall, "image_size": 32, "patch_size": 8},
                           {**text, "max_position_embeddings": 24, "vocab_size": 320, "projection_size": 64})
    return [
        Checkpoint("siglip", ["SiglipModel"], first, siglip_preprocessor(46, 3), dtype=torch.float16, seed=31,
                   logit_scale=1.5, sentencepiece=True),
        Checkpoint("siglip2", ["SiglipModel"], second, siglip_preprocessor(32, 2), dtype=torch.float16, seed=32,
                   logit_scale=1.5),
    ]


def small_chinese_clip():
    """The image processor as OFA-Sys has it."""
    vision = {**transformer(48, 96, 2, 4, "quick_gelu", 1e-5), "image_size": 48, "patch_size": 16}
    text = {
        **transformer(32, 64, 2, 2, "gelu", 1e-12), "vocab_size": BLIP_ENTRIES, "max_position_embeddings": 40,
        "type_vocab_size": 2, "pad_token_id": 0,
    }
    config = {
        "model_type": "chinese_clip", "projection_dim": 24, "logit_scale_init_value": 2.6592, "initializer_factor": 1.0,
        "text_config": {"model_type": "chinese_clip_text_model", **text},
        "vision_config": {"model_type": "chinese_clip_vision_model", "num_channels": 3, **vision},
    }
    preprocessor = {**new_clip_preprocessor(48, CLIP_MEAN, CLIP_STD), "image_processor_type": "ChineseCLIPImageProcessor"}
    del preprocessor["feature_extractor_type"]
    return Checkpoint("chinese-clip", ["ChineseCLIPModel"], config, preprocessor, dtype=torch.float16, seed=33)


def small():
    """Widths of `clip-quick` and `blip-caption-untied` are whole blocks of 32, so that quantizing them quantizes
    every matrix; the others' are not, so that matrices which must stay float are met, too."""
    quick_text = {
        **transformer(32, 96, 2, 4, "quick_gelu", 1e-5), "vocab_size": CLIP_ENTRIES, "max_position_embeddings": 77,
        "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1,  # the legacy numbers of openai's repositories
    }
    quick_vision = {**transformer(64, 96, 3, 4, "quick_gelu", 1e-5), "image_size": 40, "patch_size": 8}
    gelu_text = {
        **transformer(40, 80, 2, 2, "gelu", 1e-6), "vocab_size": CLIP_ENTRIES, "max_position_embeddings": 77,
        "bos_token_id": CLIP_ENTRIES - 2, "eos_token_id": CLIP_ENTRIES - 1, "pad_token_id": 1,
    }
    gelu_vision = {**transformer(60, 120, 3, 3, "gelu", 1e-6), "image_size": 56, "patch_size": 14}
    half, bhalf = torch.float16, torch.bfloat16
    blip, blip_image = small_blip(), blip_preprocessor(48)
    tall_vision = {**transformer(64, 128, 4, 4, "gelu", 1e-6), "image_size": 64, "patch_size": 16}
    tall_text = {**transformer(32, 96, 3, 2, "gelu", 1e-12), "max_position_embeddings": 48, "encoder_hidden_size": 64}
    untied = {**blip_config(tall_vision, tall_text, 24, BLIP_ENTRIES, 7), "tie_word_embeddings": False}
    untied["text_config"]["tie_word_embeddings"] = False
    generation, retrieval, answering = (
        "BlipForConditionalGeneration", "BlipForImageTextRetrieval", "BlipForQuestionAnswering"
    )
    shared = {"config": blip, "preprocessor": blip_image, "seed": 26, "end_bias": 7.5}
    return [
        Checkpoint("clip-quick", ["CLIPModel"], clip_config(quick_vision, quick_text, 24),
                   old_clip_preprocessor(40), position_ids=True, seed=1),
        Checkpoint("clip-gelu", ["CLIPModel"], clip_config(gelu_vision, gelu_text, 20),
                   new_clip_preprocessor(56, INCEPTION, INCEPTION), dtype=half, seed=2, logit_scale=4.6052),
        # float16 values in a float32 file, so that every BLIP folder of this seed holds the same numbers
        Checkpoint("blip-caption", [generation], **shared, rounding=half, pytorch=True),
        Checkpoint("blip-caption-untied", [generation], untied, blip_preprocessor(64), dtype=bhalf, seed=12,
                   sharded=True, decoder_tokens=True, position_ids=True, end_bias=5.0),
        Checkpoint("blip-retrieval", [retrieval], **shared, dtype=half),
        Checkpoint("blip-vqa", [answering], **shared, dtype=half),
        Checkpoint("blip-all", [generation, retrieval, answering], **shared, dtype=half),
        *small_siglip(),
        small_chinese_clip(),
    ]


def full_siglip2(patch, size, seed, dtype):
    """google/siglip2-base-patch{patch}-{size}. The table has its 256,000 rows, the tokenizer few of their words."""
    base = transformer(768, 3072, 12, 12, "", 0)
    config = siglip_config({**base, "image_size": size, "patch_size": patch},
                           {**base, "max_position_embeddings": 64, "vocab_size": 256_000})
    return Checkpoint(f"siglip2-base-patch{patch}-{size}", ["SiglipModel"], config, siglip_preprocessor(size, 2), dtype=dtype,
                      seed=seed, full=True, logit_scale=4.6052)


def full():
    """The real sizes with random weights: openai/clip-vit-base-patch32, the three BLIP base models, two SigLIP 2."""
    text = {
        **transformer(512, 2048, 12, 8, "quick_gelu", 1e-5), "vocab_size": 49408, "max_position_embeddings": 77,
        "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1,
    }
    vision = {**transformer(768, 3072, 12, 12, "quick_gelu", 1e-5), "image_size": 224, "patch_size": 32}
    blip_vision = {**transformer(768, 3072, 12, 12, "gelu", 1e-5), "image_size": 384, "patch_size": 16}
    blip_text = {**transformer(768, 3072, 12, 12, "gelu", 1e-12), "max_position_embeddings": 512}
    blip = blip_config(blip_vision, blip_text, 256, 30524, 102)
    shared = {"config": blip, "preprocessor": blip_preprocessor(384), "seed": 5, "full": True, "end_bias": 10.0,
              "branch": 0.35}
    return [
        Checkpoint("clip-vit-base-patch32", ["CLIPModel"], clip_config(vision, text, 512, 4.6052),
                   old_clip_preprocessor(224), position_ids=True, full=True, logit_scale=4.6052),
        Checkpoint("blip-base-caption", ["BlipForConditionalGeneration"], **shared),
        Checkpoint("blip-base-retrieval", ["BlipForImageTextRetrieval"], **shared),
        Checkpoint("blip-base-vqa", ["BlipForQuestionAnswering"], **shared),
        full_siglip2(32, 256, 8, torch.float16),
        full_siglip2(16, 224, 9, torch.float32),
    ]
